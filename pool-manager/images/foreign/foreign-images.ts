import pLimit from "p-limit";
import { BoundedMap } from "../../collections/bounded.ts";
import { ManagerError } from "../../errors.ts";
import type { RegistryClient, RegistryError } from "../registry.ts";
import type { ImageDescriptor } from "./descriptor.ts";
import { describeImage, type ForeignConfig, type ForeignManifest, forPods } from "./image-config.ts";
import { byDigest, type ImageReference, isPinned, parseReference } from "./reference.ts";

/** How many images are copied at a time: each may be as large as the network is wide. */
const COPIES = 2;
/** How many layers of an image are copied at a time. */
const LAYERS = 3;
/** How many images are remembered, so that a further deployment of one asks no registry. */
const MAX_KNOWN = 200;

export interface ForeignImagesOptions {
  /** The registry that nodes pull from, and the repository of code images. */
  registry: RegistryClient;
  repository: string;
  /** A client of any registry; `path`: that of its repositories, without the last part. */
  clientOf(host: string, path: string): RegistryClient;
}

/** Images of users, which may be in any registry. Each is checked, and copied to where nodes pull from. */
export class ForeignImages {
  readonly #options: ForeignImagesOptions;
  readonly #limit = pLimit(COPIES);
  /** By reference with digest; in flight or done. */
  readonly #known = new BoundedMap<string, Promise<ImageDescriptor>>(MAX_KNOWN);

  constructor(options: ForeignImagesOptions) {
    this.#options = options;
  }

  /**
   * Resolves a reference to a digest, checks that pods can run the image, and copies its layers. Throws `IMAGE_INVALID`,
   * `IMAGE_NOT_FOUND`, `IMAGE_FORBIDDEN`, `IMAGE_UNREACHABLE`, `IMAGE_UNSUPPORTED`, `IMAGE_TOO_LARGE` or `STORE_FAILED`.
   */
  async take(text: string): Promise<ImageDescriptor> {
    const reference = parseReference(text);
    const source = this.#sourceOf(reference);
    const digest = isPinned(reference)
      ? reference.version
      : (await this.#read(text, () => source.client.manifest(source.repository, reference.version))).digest;
    const image = byDigest(reference, digest);
    const known = this.#known.get(image) ?? this.#limit(() => this.#take(image, digest, source));
    this.#known.set(image, known);
    known.catch(() => this.#known.delete(image));
    return known;
  }

  async #take(image: string, digest: string, source: Source): Promise<ImageDescriptor> {
    const { client, repository } = source;
    const json = async <T>(read: () => Promise<Uint8Array>) => parsed<T>(image, await this.#read(image, read));
    let manifest = await json<ForeignManifest>(async () => (await client.manifest(repository, digest)).data);
    if (manifest.manifests) {
      const own = forPods(image, manifest);
      manifest = await json<ForeignManifest>(async () => (await client.manifest(repository, own)).data);
    }
    const config = await json<ForeignConfig>(() => client.config(repository, manifest.config?.digest ?? ""));
    const descriptor = describeImage(image, manifest, config);
    await this.#copy(descriptor, source);
    return descriptor;
  }

  /** Layers that are in the registry already, in a repository of it, are linked and not copied. */
  async #copy({ image, layers }: ImageDescriptor, { client, repository, path }: Source): Promise<void> {
    const { registry, repository: own } = this.#options;
    const from = client.host === registry.host ? path : undefined;
    let refusal: ManagerError | null = null;
    const open = async (digest: string) => {
      try {
        return await client.openBlob(repository, digest);
      } catch (error) {
        refusal = refusalOf(image, error as RegistryError);
        throw error;
      }
    };
    try {
      await pLimit(LAYERS).map(layers, ({ digest }) => registry.pushBlob(own, digest, () => open(digest), from));
    } catch (error) {
      throw refusal ?? new ManagerError("STORE_FAILED", `image: the layers of ${image} could not be copied: ${(error as Error).message}`, "image");
    }
  }

  #sourceOf({ registry, name }: ImageReference): Source {
    const slash = name.lastIndexOf("/");
    const client = this.#options.clientOf(registry, name.slice(0, Math.max(slash, 0)));
    return { client, repository: name.slice(slash + 1), path: name };
  }

  async #read<T>(image: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw refusalOf(image, error as RegistryError);
    }
  }
}

interface Source {
  client: RegistryClient;
  /** Below the client's prefix. */
  repository: string;
  /** The whole path. */
  path: string;
}

function refusalOf(image: string, { status, message }: RegistryError): ManagerError {
  if (status === 404) return new ManagerError("IMAGE_NOT_FOUND", `image: there is no ${image}: ${message}`, "image");
  if (status === 401 || status === 403) return new ManagerError("IMAGE_FORBIDDEN", `image: ${image} may not be read: ${message}`, "image");
  return new ManagerError("IMAGE_UNREACHABLE", `image: ${image} could not be read: ${message}`, "image");
}

function parsed<T>(image: string, data: Uint8Array): T {
  try {
    const value: unknown = JSON.parse(Buffer.from(data).toString("utf8"));
    if (typeof value === "object" && value !== null) return value as T;
  } catch {
    // The error below says so.
  }
  throw new ManagerError("IMAGE_UNSUPPORTED", `image: what the registry has of ${image} is not JSON`, "image");
}
