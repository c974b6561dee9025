import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ManagerError } from "../errors.ts";
import { type Descriptor, digestOf } from "./oci.ts";

/** An OCI image layout directory: content-addressed blobs, and an index that names the images. */
export class OciLayout {
  readonly #dir: string;
  readonly #blobs: string;
  #remote: ((digest: string) => Promise<Uint8Array>) | null = null;

  constructor(dir: string) {
    this.#dir = dir;
    this.#blobs = join(dir, "blobs", "sha256");
  }

  /** Fetches blobs that are missing here from this source from now on. */
  fetchMissingFrom(remote: (digest: string) => Promise<Uint8Array>): void {
    this.#remote = remote;
  }

  async open(): Promise<void> {
    await mkdir(this.#blobs, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#blobs)) {
      if (name.endsWith(".tmp")) await rm(join(this.#blobs, name), { recursive: true, force: true });
    }
    for (const name of await readdir(this.#dir)) if (name.endsWith(".tmp")) await rm(join(this.#dir, name), { recursive: true, force: true });
    await writeFile(join(this.#dir, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    if (!existsSync(join(this.#dir, "index.json"))) await this.writeIndex([]);
  }

  /** Stores a blob durably; returns its digest. */
  async put(data: Uint8Array): Promise<string> {
    const digest = digestOf(data);
    const path = this.path(digest);
    if (existsSync(path)) return digest;
    await replace(path, data);
    return digest;
  }

  /** A blob's bytes. Throws if its content does not match its digest. */
  async get(digest: string): Promise<Buffer> {
    if (this.#remote && !this.has(digest)) {
      const fetched = Buffer.from(await this.#remote(digest));
      await this.put(fetched);
      return fetched;
    }
    const data = await readFile(this.path(digest));
    if (digestOf(data) !== digest) throw new Error(`blob ${digest} is corrupt`);
    return data;
  }

  has(digest: string): boolean {
    return existsSync(this.path(digest));
  }

  path(digest: string): string {
    if (!isDigest(digest)) throw new Error(`not a digest: ${digest}`);
    return join(this.#blobs, digest.slice("sha256:".length));
  }

  async writeIndex(manifests: Descriptor[]): Promise<void> {
    const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests };
    await replace(join(this.#dir, "index.json"), JSON.stringify(index));
  }

  /** Digests of the local blobs. */
  async list(): Promise<string[]> {
    const names = await readdir(this.#blobs);
    // Other files are ignored.
    return names.map((name) => `sha256:${name}`).filter(isDigest);
  }

  async remove(digest: string): Promise<void> {
    await rm(this.path(digest), { force: true });
  }
}

export function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

let counter = 0;

/** Replaces a file atomically. Rejects with `STORE_FAILED`, and leaves no temporary file. */
async function replace(path: string, data: Uint8Array | string): Promise<void> {
  const temporary = `${path}.${process.pid}-${counter++}.tmp`;
  try {
    const file = await open(temporary, "w", 0o600);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new ManagerError("STORE_FAILED", `the code could not be stored: ${(error as Error).message}`);
  }
}
