import { digestOf } from "../../../pool-manager/images/oci.ts";
import { type RegistryClient, RegistryError } from "../../../pool-manager/images/registry.ts";

type Port = Pick<RegistryClient, "host" | "prefix" | "reference" | "ping" | "digest" | "tags" | "pushBlob" | "read" | "pushManifest" | "deleteManifest">;

/** A registry in memory: blobs stay when their manifests are deleted, until its own collection. */
export class MemoryRegistry implements Port {
  readonly host = "registry.invalid";
  readonly prefix = "";
  readonly blobs = new Map<string, Uint8Array>();
  /** Manifests by repository and tag. */
  readonly manifests = new Map<string, Map<string, Uint8Array>>();
  /** Manifests whose deletion was asked for. */
  readonly deleted: string[] = [];

  /** The registry as the adapter uses it. */
  get client(): RegistryClient {
    return this as Port as RegistryClient;
  }

  reference(repository: string, tag: string, digest: string): string {
    return `${this.host}/${repository}:${tag}@${digest}`;
  }

  async ping(): Promise<void> {}

  async digest(repository: string, tag: string): Promise<string | null> {
    const manifest = this.manifests.get(repository)?.get(tag);
    return manifest ? digestOf(manifest) : null;
  }

  async tags(repository: string): Promise<string[]> {
    return [...(this.manifests.get(repository)?.keys() ?? [])];
  }

  async pushBlob(_repository: string, digest: string, read: () => Promise<Uint8Array>): Promise<void> {
    if (!this.blobs.has(digest)) this.blobs.set(digest, await read());
  }

  async read(repository: string, digest: string): Promise<Uint8Array> {
    const manifest = [...(this.manifests.get(repository)?.values() ?? [])].find((one) => digestOf(one) === digest);
    const data = this.blobs.get(digest) ?? manifest;
    if (!data) throw new RegistryError(404, `the registry ${this.host} has no ${repository}@${digest}`);
    return data;
  }

  async pushManifest(repository: string, tag: string, manifest: Uint8Array): Promise<void> {
    const tags = this.manifests.get(repository) ?? new Map<string, Uint8Array>();
    this.manifests.set(repository, tags);
    tags.set(tag, manifest);
  }

  async deleteManifest(repository: string, digest: string): Promise<boolean> {
    const tags = this.manifests.get(repository);
    const found = [...(tags ?? [])].filter(([, manifest]) => digestOf(manifest) === digest);
    for (const [tag] of found) tags?.delete(tag);
    if (found.length > 0) this.deleted.push(digest);
    return found.length > 0;
  }
}
