import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FileOps, realFiles, replaceFile } from "../async/atomic-file.ts";
import { ManagerError } from "../errors.ts";
import { type Descriptor, digestOf } from "./oci.ts";

/** Two writes of one blob may overlap: each has a temporary file of its own. */
let counter = 0;

/** An OCI image layout directory: content-addressed blobs, and an index that names the images. */
export class OciLayout {
  readonly #dir: string;
  readonly #blobs: string;
  readonly #ops: FileOps;
  #remote: ((digest: string) => Promise<Uint8Array>) | null = null;

  /** A test passes file operations of its own. */
  constructor(dir: string, ops: FileOps = realFiles) {
    this.#dir = dir;
    this.#ops = ops;
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
    await this.#replace(path, data);
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
    await this.#replace(join(this.#dir, "index.json"), JSON.stringify(index));
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

  /** Rejects with `STORE_FAILED`. */
  async #replace(path: string, data: Uint8Array | string): Promise<void> {
    const temporary = `${path}.${process.pid}-${counter++}.tmp`;
    await replaceFile(path, data, { mode: 0o600, temporary, ops: this.#ops }).catch((error: Error) => {
      throw new ManagerError("STORE_FAILED", `the code could not be stored: ${error.message}`);
    });
  }
}

export function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}
