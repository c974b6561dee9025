import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import pLimit from "p-limit";
import { CODE_DIR, FUNCTION_ROOT } from "../../runtime-images/protocol/messages.ts";
import { BoundedMap } from "../collections/bounded.ts";
import { ManagerError } from "../errors.ts";
import type { Collector } from "../functions/retention.ts";
import { COMMAND_ENTRY, derivedImage } from "./foreign/derived-image.ts";
import { descriptorFile, descriptorIn, type ImageDescriptor } from "./foreign/descriptor.ts";
import { entryOf, entryOfLayer, type LayerFile, packLayer, readUpload } from "./layer.ts";
import { isDigest, type OciLayout } from "./layout.ts";
import { buildImage, type Descriptor, digestOf, type ImageManifest, MANIFEST_TYPE } from "./oci.ts";

/** How long uploaded code without a revision is kept. */
const UPLOAD_TTL_MS = 600_000;
const MAX_UPLOADS = 1000;
/** The entry program of code images, below the checkout's root. */
export const ENTRY_PROGRAM = "runtime-images/entry/entry-linux-amd64";
/** Path of the entry program in code images. */
export const ENTRY = "/entry";

/** The lowest layer of code images; it holds only the entry program. */
export function packEntry(program: Uint8Array, path = ENTRY): Promise<Uint8Array> {
  return packLayer([{ path: path.slice(1), data: program }], "", 0o755);
}

/** Bound on the memory of cached layers, which load orders need without delay. */
const CACHE_BYTES = 64 * 1024 * 1024;

/** Number of manifests that the first collection reads concurrently: deployments wait for it. */
const READS = 32;

export interface UploadedCode {
  /** Digest of the function layer, and the path of the module to load. */
  ref: { layer: string; entry: string };
  size: number;
}

/** Builds and stores code images: an entry layer, whose program copies the function to the instance's volume, and the function layer. */
export class CodeImages {
  readonly #layout: OciLayout;
  readonly #entryProgram: string;
  readonly #uploads = new BoundedMap<string, UploadedCode & { at: number; pending: number }>(MAX_UPLOADS);
  /** Blobs of each image and the size of its manifest, by the manifest's digest, which makes them immutable. */
  readonly #manifests = new Map<string, { blobs: readonly string[]; size: number }>();
  #index = "";
  /** Last known image of each blob: a blob's retention is that of its image. */
  readonly #imageOf = new Map<string, string>();
  readonly #cache = new Map<string, Buffer>();
  #cached = 0;
  /** Reads in flight, shared by concurrent callers. */
  readonly #reading = new Map<string, Promise<Buffer>>();
  /** The layers of the entry program, by its path in them. */
  readonly #entries = new Map<string, { digest: string; size: number }>();

  /** `entryProgram`: path of the runtime's entry binary. */
  constructor(layout: OciLayout, entryProgram: string) {
    this.#layout = layout;
    this.#entryProgram = entryProgram;
  }

  async open(): Promise<void> {
    await this.#layout.open();
  }

  /** Checks an uploaded tar and stores it as a function layer. The same files give the same digest. */
  async upload(tar: Uint8Array): Promise<UploadedCode> {
    return this.#add(await readUpload(tar));
  }

  /** Stores the description of an image that is started instead of code. */
  async describe(image: ImageDescriptor): Promise<UploadedCode> {
    return this.#add([descriptorFile(image)]);
  }

  async #add(files: readonly LayerFile[]): Promise<UploadedCode> {
    const layer = await packLayer(files, `${FUNCTION_ROOT}/`);
    const code: UploadedCode = { ref: { layer: digestOf(layer), entry: entryOf(files) }, size: layer.length };
    const pending = (this.#uploads.get(code.ref.layer)?.pending ?? 0) + 1;
    this.#uploads.set(code.ref.layer, { ...code, at: performance.now(), pending });
    await this.#layout.put(layer);
    return code;
  }

  /**
   * Finds code by the digest of its layer: uploaded, kept from a deleted function, or in the registry.
   * Throws `CODE_UNKNOWN` if it is in none of them, `STORE_FAILED` if the registry cannot be read.
   */
  async find(digest: string): Promise<UploadedCode["ref"]> {
    const uploaded = this.#uploads.get(digest);
    if (uploaded) return uploaded.ref;
    const unknown = new ManagerError("CODE_UNKNOWN", `code ${digest.slice(0, 80)} is neither uploaded nor kept`, "code");
    if (!isDigest(digest)) throw unknown;
    const layer = await this.layer(digest).catch((error: Error & { status?: number; code?: string }) => {
      if (error.status === 404 || error.code === "ENOENT") throw unknown;
      throw new ManagerError("STORE_FAILED", `code ${digest} could not be read from the registry: ${error.message}`, "code");
    });
    const entry = await entryOfLayer(layer, FUNCTION_ROOT).catch(() => Promise.reject(unknown));
    return { layer: digest, entry };
  }

  /**
   * Builds and stores the image of a revision; returns the digest of its manifest. `identity` is the hash
   * of function, files and settings, so that two functions with the same files get different images.
   */
  async build(name: string, revision: string, identity: string, layer: string): Promise<string> {
    const data = await this.layer(layer);
    const top = { digest: layer, size: data.length };
    const labels = { "dev.berth.identity": identity, "dev.berth.function": name, "dev.berth.revision": revision };
    const foreign = await descriptorIn(data);
    const image = foreign
      ? buildImage(derivedImage(foreign, [await this.#entryLayer(COMMAND_ENTRY), top], labels))
      : buildImage({ layers: [await this.#entryLayer(ENTRY), top], entrypoint: [ENTRY, `/${FUNCTION_ROOT}`, CODE_DIR, layer], labels, architecture: "amd64" });
    const [, manifest] = await Promise.all([this.#layout.put(image.config), this.#layout.put(image.manifest)]);
    return manifest;
  }

  /** The bytes of a function layer. */
  async layer(digest: string): Promise<Buffer> {
    const cached = this.#cache.get(digest);
    if (cached) {
      this.#cache.delete(digest);
      this.#cache.set(digest, cached);
      return cached;
    }
    const reading = this.#reading.get(digest) ?? this.#read(digest);
    this.#reading.set(digest, reading);
    return reading;
  }

  async #read(digest: string): Promise<Buffer> {
    try {
      const data = await this.#layout.get(digest);
      this.#remember(digest, data);
      return data;
    } finally {
      this.#reading.delete(digest);
    }
  }

  /**
   * Writes the index for `images` (manifest digest → reference). Removes blobs that neither these, nor a declaration, nor a
   * pending upload needs, if the collector allows it; a blob of a former image is removed with that image.
   */
  async collect(images: ReadonlyMap<string, string>, declared: ReadonlySet<string>, collector: Collector): Promise<void> {
    const keep = new Set<string>(declared);
    const index: Descriptor[] = [];
    await pLimit(READS).map(images.keys(), (digest) => this.#manifest(digest));
    for (const [digest, reference] of images) {
      const { blobs, size } = await this.#manifest(digest);
      for (const blob of blobs) {
        keep.add(blob);
        this.#imageOf.set(blob, digest);
      }
      keep.add(digest);
      const annotations = { "org.opencontainers.image.ref.name": reference };
      index.push({ mediaType: MANIFEST_TYPE, digest, size, annotations });
    }
    for (const digest of this.#manifests.keys()) if (!images.has(digest)) this.#manifests.delete(digest);
    await this.#writeIndex(index);
    this.#endUploads(collector);
    for (const digest of await this.#layout.list()) {
      // Uploads arrive concurrently, so they are checked before each removal.
      if (!keep.has(digest) && !this.#uploads.has(digest)) await this.#collectBlob(digest, collector);
    }
  }

  #endUploads(collector: Collector): void {
    const now = performance.now();
    for (const [digest, { pending, at }] of this.#uploads) {
      if (pending > 0 && now - at <= UPLOAD_TTL_MS) continue;
      this.#uploads.delete(digest);
      if (pending > 0) collector.end([digest], "it was uploaded and not deployed");
    }
  }

  async #manifest(digest: string): Promise<{ blobs: readonly string[]; size: number }> {
    const known = this.#manifests.get(digest);
    if (known) return known;
    const manifest = await this.#layout.get(digest);
    const read = { blobs: blobsOf(manifest), size: manifest.length };
    this.#manifests.set(digest, read);
    return read;
  }

  async #writeIndex(index: Descriptor[]): Promise<void> {
    const text = JSON.stringify(index);
    if (text === this.#index) return;
    await this.#layout.writeIndex(index);
    this.#index = text;
  }

  async #collectBlob(digest: string, collector: Collector): Promise<void> {
    const reason = collector.mayGo("blob", this.#imageOf.get(digest) ?? digest);
    if (reason === null) return;
    await this.#layout.remove(digest);
    this.#imageOf.delete(digest);
    this.#forget(digest);
    collector.gone("blob", digest, reason);
  }

  /** Counts an upload as deployed: from now on its revision references it. */
  settle(digest: string): void {
    const upload = this.#uploads.get(digest);
    if (upload) upload.pending -= 1;
  }

  async #entryLayer(path: string): Promise<{ digest: string; size: number }> {
    const known = this.#entries.get(path);
    if (known && this.#layout.has(known.digest)) return known;
    if (!existsSync(this.#entryProgram)) throw new Error(`the entry program ${this.#entryProgram} is missing`);
    const layer = await packEntry(await readFile(this.#entryProgram), path);
    const entry = { digest: await this.#layout.put(layer), size: layer.length };
    this.#entries.set(path, entry);
    return entry;
  }

  #forget(digest: string): void {
    this.#cached -= this.#cache.get(digest)?.length ?? 0;
    this.#cache.delete(digest);
  }

  #remember(digest: string, data: Buffer): void {
    if (data.length > CACHE_BYTES) return;
    this.#cache.set(digest, data);
    this.#cached += data.length;
    for (const [oldest, bytes] of this.#cache) {
      if (this.#cached <= CACHE_BYTES) break;
      this.#cache.delete(oldest);
      this.#cached -= bytes.length;
    }
  }
}

function blobsOf(manifest: Buffer): string[] {
  const { config, layers } = JSON.parse(manifest.toString("utf8")) as ImageManifest;
  return [config.digest, ...layers.map((layer) => layer.digest)];
}
