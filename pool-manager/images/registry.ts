import { isIP } from "node:net";
import { digestOf, MANIFEST_TYPE } from "./oci.ts";
import { type Authorization, authorize, type RegistryLogin } from "./registry-auth.ts";

/** Timeout of one request, long enough for a layer of the largest accepted size. */
const TIMEOUT_MS = 120_000;
const PAGE = 500;
const MAX_REPOSITORIES = 1000;
/** Docker Hub's name in image references, and the host of its API. */
const DOCKER_HUB = "docker.io";
const DOCKER_HUB_API = "registry-1.docker.io";
const MANIFESTS = [MANIFEST_TYPE, "application/vnd.docker.distribution.manifest.v2+json"].join(", ");
const INDEXES = ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"].join(", ");
/** Timeout of a blob that is copied as a stream: images of others have layers of gigabytes. */
const COPY_MS = 1_800_000;
/** The most bytes of a manifest or an image's config that are read (the limit of common registries). */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** Refusals of a manifest while another client pushes the same blobs: a registry may list a blob before it can read it. */
const UNSETTLED = /MANIFEST_BLOB_UNKNOWN|DIGEST_INVALID/;
const SETTLE_MS = [200, 500, 1500];

export type BlobSource = Uint8Array | ReadableStream<Uint8Array>;

export class RegistryError extends Error {
  /** HTTP status; 0 if there is none, as without an answer. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface RegistryOptions {
  /** `host[:port][/prefix]`, as in image references. */
  registry: string;
  /** Called at each challenge, since credentials may be rotated; null: there are none. */
  login: () => Promise<RegistryLogin | null>;
  /** Allows plain HTTP to hosts other than loopback. */
  insecure: boolean;
  /** `host[:port]` to connect to, if nodes know the registry by another name. */
  via?: string | null;
}

/** Client of a registry (OCI Distribution Specification 1.1): push, look up, delete. */
export class RegistryClient {
  readonly #base: string;
  /** Path prefix of the repositories. */
  readonly prefix: string;
  readonly host: string;
  readonly #login: () => Promise<RegistryLogin | null>;
  readonly #authorizations = new Map<string, Authorization>();

  /** Throws `RegistryError` if `registry` is invalid. */
  constructor({ registry, login, insecure, via }: RegistryOptions) {
    const [host = "", ...path] = registry.split("/");
    if (!/^[a-z0-9.-]+(:\d+)?$|^\[[0-9a-f:]+\](:\d+)?$/i.test(host) || path.some((part) => !/^[a-z0-9]+([._-]+[a-z0-9]+)*$/.test(part))) {
      throw new RegistryError(0, `"${registry}" is not a registry: host[:port][/prefix] is expected`);
    }
    this.host = host;
    this.prefix = path.join("/");
    const reached = via ?? (host === DOCKER_HUB ? DOCKER_HUB_API : host);
    this.#base = `${insecure || isLoopback(reached) ? "http" : "https"}://${reached}/v2`;
    this.#login = login;
  }

  /** Reference of an image by tag and digest. */
  reference(repository: string, tag: string, digest: string): string {
    return `${this.host}/${this.#path(repository)}:${tag}@${digest}`;
  }

  async ping(): Promise<void> {
    const { status } = await this.#send("", "GET", "/", null);
    if (status !== 200) throw new RegistryError(status, `the registry ${this.host} answers ${status} to GET /v2/`);
  }

  /** Digest of a tag's manifest; null if there is none. */
  async digest(repository: string, tag: string): Promise<string | null> {
    const res = await this.#send(repository, "GET", `/manifests/${tag}`, null, { accept: MANIFESTS });
    if (res.status === 404) return null;
    if (res.status !== 200) throw await failure(res, `GET ${repository}:${tag}`);
    return digestOf(new Uint8Array(await res.arrayBuffer()));
  }

  /** All tags of a repository; empty if it does not exist. */
  async tags(repository: string): Promise<string[]> {
    const tags: string[] = [];
    for (let last = ""; ; ) {
      const res = await this.#send(repository, "GET", `/tags/list?n=${PAGE}${last && `&last=${last}`}`, null);
      if (res.status === 404) return tags;
      if (res.status !== 200) throw await failure(res, `tags of ${repository}`);
      const page = ((await res.json()) as { tags: string[] | null }).tags ?? [];
      tags.push(...page);
      const next = page.at(-1);
      if (page.length < PAGE || !next || next === last) return tags;
      last = next;
    }
  }

  /** Those of the registry's first `MAX_REPOSITORIES` repositories that are below the prefix; empty if the registry does not list them. */
  async repositories(): Promise<string[]> {
    const res = await this.#send("", "GET", `/_catalog?n=${MAX_REPOSITORIES}`, null).catch((error: RegistryError) => {
      if (error.status === 401 || error.status === 403) return null;
      throw error;
    });
    if (res?.status !== 200) {
      await res?.body?.cancel();
      return [];
    }
    const { repositories } = (await res.json()) as { repositories: string[] | null };
    const below = this.prefix ? `${this.prefix}/` : "";
    return (repositories ?? []).filter((name) => name.startsWith(below)).map((name) => name.slice(below.length));
  }

  /** Uploads a blob unless the registry has it. `from`: path of a repository of this registry that has it; it is not uploaded if the registry links it from there. */
  async pushBlob(repository: string, digest: string, read: () => Promise<BlobSource>, from?: string): Promise<void> {
    const head = await this.#send(repository, "HEAD", `/blobs/${digest}`, null);
    if (head.status === 200) return;
    const data = from === undefined ? await read() : null;
    const mount = from === undefined ? "" : `?mount=${digest}&from=${from}`;
    const begun = await this.#send(repository, "POST", `/blobs/uploads/${mount}`, new Uint8Array());
    if (begun.status === 201 && from !== undefined) return;
    const location = begun.headers.get("location");
    if (begun.status !== 202 || !location) throw await failure(begun, `upload to ${repository}`);
    const target = new URL(location, `${this.#base}/`);
    target.searchParams.set("digest", digest);
    const done = await this.#request(repository, target.href, "PUT", data ?? (await read()), { "content-type": "application/octet-stream" });
    if (done.status !== 201) throw await failure(done, `upload of ${digest} to ${repository}`);
  }

  /** A manifest or an index by tag or digest, as the registry has it, and its digest. Rejects with the status of the refusal. */
  async manifest(repository: string, version: string): Promise<{ digest: string; data: Uint8Array }> {
    const data = await this.#text(repository, `/manifests/${version}`, { accept: `${MANIFESTS}, ${INDEXES}` });
    const digest = digestOf(data);
    if (version.startsWith("sha256:") && version !== digest) throw new RegistryError(0, `the registry ${this.host} has other bytes under ${version}`);
    return { digest, data };
  }

  /** An image's config, checked against its digest. */
  async config(repository: string, digest: string): Promise<Uint8Array> {
    const data = await this.#text(repository, `/blobs/${digest}`, {});
    if (digestOf(data) !== digest) throw new RegistryError(0, `the registry ${this.host} has other bytes under ${digest}`);
    return data;
  }

  /** The bytes of a blob as they come; whoever stores them checks the digest. */
  async openBlob(repository: string, digest: string): Promise<ReadableStream<Uint8Array>> {
    const res = await this.#send(repository, "GET", `/blobs/${digest}`, null);
    if (res.status !== 200 || !res.body) throw await failure(res, `GET ${repository}@${digest}`);
    return res.body;
  }

  async #text(repository: string, path: string, headers: Record<string, string>): Promise<Uint8Array> {
    const res = await this.#send(repository, "GET", path, null, headers);
    if (res.status !== 200) throw await failure(res, `GET ${this.host}/${this.#path(repository)}${path}`);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of res.body ?? []) {
      bytes += chunk.length;
      if (bytes > MAX_TEXT_BYTES) throw new RegistryError(0, `the registry ${this.host} sends more than ${MAX_TEXT_BYTES} bytes for ${path}`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** The bytes of a blob or manifest, checked against their digest. Rejects if there is none. */
  async read(repository: string, digest: string): Promise<Uint8Array> {
    for (const path of [`/blobs/${digest}`, `/manifests/${digest}`]) {
      const res = await this.#send(repository, "GET", path, null, { accept: `${MANIFESTS}, */*` });
      if (res.status === 404) {
        await res.body?.cancel();
        continue;
      }
      if (res.status !== 200) throw await failure(res, `GET ${repository}@${digest}`);
      const data = new Uint8Array(await res.arrayBuffer());
      if (digestOf(data) !== digest) throw new RegistryError(0, `the registry ${this.host} has other bytes under ${digest}`);
      return data;
    }
    throw new RegistryError(404, `the registry ${this.host} has no ${repository}@${digest}`);
  }

  /** Pushes a manifest whose blobs have been pushed; a registry that does not see them yet is asked again. */
  async pushManifest(repository: string, tag: string, manifest: Uint8Array): Promise<void> {
    for (const pauseMs of [...SETTLE_MS, null]) {
      const res = await this.#send(repository, "PUT", `/manifests/${tag}`, manifest, { "content-type": MANIFEST_TYPE });
      if (res.status === 201) return;
      const error = await failure(res, `push of ${repository}:${tag}`);
      if (pauseMs === null || !UNSETTLED.test(error.message)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** Deletes a manifest with its tags; the registry collects its layers. False if it does not exist or cannot be deleted. */
  async deleteManifest(repository: string, digest: string): Promise<boolean> {
    const { status } = await this.#send(repository, "DELETE", `/manifests/${digest}`, null);
    return status === 202;
  }

  #send(repository: string, method: string, path: string, body: BlobSource | null, headers: Record<string, string> = {}): Promise<Response> {
    return this.#request(repository, repository ? `${this.#base}/${this.#path(repository)}${path}` : `${this.#base}${path}`, method, body, headers);
  }

  /** Docker Hub has no repositories below repositories. */
  #path(repository: string): string {
    const own = this.host === DOCKER_HUB ? repository.replaceAll("/", "-") : repository;
    return this.prefix ? `${this.prefix}/${own}` : own;
  }

  async #request(repository: string, url: string, method: string, body: BlobSource | null, headers: Record<string, string>): Promise<Response> {
    const known = this.#authorizations.get(repository);
    const first = await this.#fetch(url, method, body, { ...headers, ...bearer(known) });
    const challenge = first.headers.get("www-authenticate");
    if (first.status !== 401 || !challenge) return first;
    await first.body?.cancel();
    const fresh = await authorize(challenge, await this.#login(), TIMEOUT_MS);
    if (!fresh)
      throw new RegistryError(401, `the registry ${this.host} requires credentials: set BERTH_REGISTRY_USERNAME and BERTH_REGISTRY_PASSWORD, or docker login`);
    this.#authorizations.set(repository, fresh);
    const second = await this.#fetch(url, method, body, { ...headers, ...bearer(fresh) });
    if (second.status === 401 || second.status === 403) throw await failure(second, `${method} of ${repository}`);
    return second;
  }

  async #fetch(url: string, method: string, body: BlobSource | null, headers: Record<string, string>): Promise<Response> {
    const streams = body instanceof ReadableStream || (method === "GET" && url.includes("/blobs/"));
    try {
      const signal = AbortSignal.timeout(streams ? COPY_MS : TIMEOUT_MS);
      return await fetch(url, { method, body: body as BodyInit | null, headers, signal, ...(body instanceof ReadableStream && { duplex: "half" }) });
    } catch (error) {
      const { cause, message } = error as Error & { cause?: Error };
      throw new RegistryError(0, `the registry ${this.host} does not answer: ${cause?.message || message}`);
    }
  }
}

function bearer(authorization: Authorization | undefined): Record<string, string> {
  return authorization ? { authorization: authorization.header } : {};
}

function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, "");
  return name === "localhost" || name === "[::1]" || (isIP(name) === 4 && name.startsWith("127."));
}

async function failure(res: Response, what: string): Promise<RegistryError> {
  const text = (await res.text().catch(() => "")).slice(0, 300);
  return new RegistryError(res.status, `${what}: the registry answers ${res.status} ${text}`);
}
