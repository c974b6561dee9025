import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { digestOf, MANIFEST_TYPE } from "../../../pool-manager/images/oci.ts";

interface Repository {
  blobs: Map<string, Buffer>;
  manifests: Map<string, Buffer>;
  tags: Map<string, string>;
}

/** The part of the OCI Distribution Specification that pushes, pulls, lists and deletions need. */
export class MemoryRegistry {
  readonly #server: Server;
  readonly #repositories = new Map<string, Repository>();
  /** Status of every answer while it is away; null: it is there. */
  away: number | null = null;

  private constructor() {
    this.#server = createServer((req, res) => void this.#answer(req, res));
  }

  static async start(): Promise<MemoryRegistry> {
    const registry = new MemoryRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, "127.0.0.1", resolve));
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  tags(repository: string): string[] {
    return [...this.#of(repository).tags.keys()].sort();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #of(name: string): Repository {
    const found = this.#repositories.get(name) ?? { blobs: new Map(), manifests: new Map(), tags: new Map() };
    this.#repositories.set(name, found);
    return found;
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    if (this.away) return void res.writeHead(this.away).end();
    const url = new URL(req.url ?? "", "http://registry");
    if (url.pathname === "/v2/_catalog") return json(res, { repositories: [...this.#repositories.keys()] });
    const [, name = "", kind, reference = ""] = /^\/v2\/(.+?)\/(blobs|manifests|tags)\/(.*)$/.exec(url.pathname) ?? [];
    if (!kind) return void res.writeHead(200).end();
    const of = this.#of(name);
    if (kind === "tags") return json(res, { tags: [...of.tags.keys()] });
    if (kind === "manifests") return manifest(of, { method: req.method ?? "", reference, body: Buffer.concat(chunks) }, res);
    if (req.method === "POST") return void res.writeHead(202, { location: `/v2/${name}/blobs/uploads/1` }).end();
    if (req.method === "PUT") {
      of.blobs.set(url.searchParams.get("digest") ?? "", Buffer.concat(chunks));
      return void res.writeHead(201).end();
    }
    const blob = of.blobs.get(reference);
    res.writeHead(blob ? 200 : 404).end(req.method === "HEAD" ? undefined : blob);
  }
}

function manifest(of: Repository, { method, reference, body }: { method: string; reference: string; body: Buffer }, res: ServerResponse): void {
  if (method === "PUT") {
    of.manifests.set(digestOf(body), body);
    of.tags.set(reference, digestOf(body));
    return void res.writeHead(201).end();
  }
  const digest = of.tags.get(reference) ?? reference;
  const found = of.manifests.get(digest);
  if (found && method === "DELETE") {
    of.manifests.delete(digest);
    for (const [tag, target] of of.tags) if (target === digest) of.tags.delete(tag);
    return void res.writeHead(202).end();
  }
  res.writeHead(found ? 200 : 404, { "content-type": MANIFEST_TYPE }).end(found);
}

function json(res: ServerResponse, body: object): void {
  res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
}
