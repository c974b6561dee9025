import pLimit from "p-limit";
import type { Collector } from "../../../functions/retention.ts";
import type { ImageManifest } from "../../../images/oci.ts";
import type { RegistryClient, RegistryError } from "../../../images/registry.ts";
import { tagOf } from "../../../images/runtime-image.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
import type { NeededCode } from "../../platform.ts";
import { CLONESETS, LABEL } from "../objects/objects.ts";
import { OtherRepositories } from "./other-repositories.ts";

const KEEP_JOB_SECONDS = 120;
const PULL_TIMEOUT_SECONDS = 300;
/** How many images are pushed concurrently. */
const MAX_PUSHES = 8;
/** The pre-download starts this late so that it does not compete with instances that pull the image for an in-place update. */
const DOWNLOAD_AFTER_MS = 500;

export interface CodeRegistryOptions {
  kube: KubeClient;
  registry: RegistryClient;
  /** Repository of this cluster's code images, below the registry's prefix. */
  repository: string;
  /** Reads a stored blob or manifest. */
  blob(digest: string): Promise<Uint8Array>;
  /** Name of the image pull Secret; null: none. */
  pullSecret: string | null;
  /** Reports once why code images cannot be removed, which is retried, and null once they can. */
  onTrouble(message: string | null): void;
}

/** Code images in the registry that nodes pull from: pushed at deployment, pre-downloaded, removed when no revision needs them. */
export class CodeRegistry {
  readonly #options: CodeRegistryOptions;
  /** Bounds the burst after a start, which checks every function's image. */
  readonly #limit = pLimit(MAX_PUSHES);
  readonly #published = new Map<string, Promise<void>>();
  /** Tags that are being removed. */
  readonly #removals = new Map<string, Promise<boolean>>();
  readonly #others: OtherRepositories;
  #sweep: Promise<void> | null = null;
  #trouble: string | null = null;

  constructor(options: CodeRegistryOptions) {
    this.#options = options;
    this.#others = new OtherRepositories(options.registry, options.repository);
  }

  /** Resolves once the image is in the registry; the next call retries a failed push. */
  publish(image: string): Promise<void> {
    let published = this.#published.get(image);
    if (!published) {
      published = this.#limit(() => this.#push(image));
      published.catch(() => this.#published.delete(image));
      this.#published.set(image, published);
    }
    return published;
  }

  /**
   * The image reference with `swapTag` and digest. The kubelet's back-off is keyed by the reference, so a tag that the pod
   * has not run lately avoids it; the digest decides what runs, and a node that has it does not pull.
   */
  reference(image: string, swapTag: string): string {
    return this.#options.registry.reference(this.#options.repository, swapTag, image);
  }

  /** Reads a blob or manifest that any pool manager has published. Throws `RegistryError` if there is none. */
  async fetch(digest: string): Promise<Uint8Array> {
    const { registry, repository } = this.#options;
    try {
      return await registry.read(repository, digest);
    } catch (error) {
      if ((error as RegistryError).status !== 404) throw error;
      const elsewhere = await this.#others.read(digest);
      if (elsewhere) return elsewhere;
      throw error;
    }
  }

  /** Removes images that no revision needs, each once the collector allows it. One sweep runs at a time; the next retries failures. */
  retain(needed: Pick<NeededCode, "images" | "declared">, collector: Collector): void {
    for (const image of this.#published.keys()) if (!needed.images.has(image)) this.#published.delete(image);
    this.#sweep ??= this.#collect(needed, collector)
      .then(
        () => this.#tell(null),
        ({ message }: Error) => this.#tell(message),
      )
      .finally(() => {
        this.#sweep = null;
      });
  }

  #tell(trouble: string | null): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#options.onTrouble(trouble);
  }

  /** Resolves when no sweep is running. */
  async idle(): Promise<void> {
    await this.#sweep;
  }

  async #collect({ images, declared }: Pick<NeededCode, "images" | "declared">, collector: Collector): Promise<void> {
    const { registry, repository } = this.#options;
    const needed = new Set([...images].map(tagOf));
    for (const tag of await registry.tags(repository)) {
      const reason = needed.has(tag) ? null : collector.mayGo("image", tag);
      if (reason === null) continue;
      const removal = this.#remove(tag, declared);
      this.#removals.set(tag, removal);
      const removed = await removal.finally(() => this.#removals.delete(tag));
      if (removed) collector.gone("image", tag, reason);
    }
  }

  /** False: the image stays, because it was published meanwhile, its code is declared, or the registry does not allow deletion. */
  async #remove(tag: string, declared: ReadonlySet<string>): Promise<boolean> {
    const { registry, repository } = this.#options;
    const digest = await registry.digest(repository, tag);
    if (!digest || this.#published.has(digest)) return false;
    if (declared.size > 0 && (await this.#layers(digest)).some((layer) => declared.has(layer))) return false;
    return registry.deleteManifest(repository, digest);
  }

  async #layers(image: string): Promise<string[]> {
    const { registry, repository } = this.#options;
    const { layers } = JSON.parse(Buffer.from(await registry.read(repository, image)).toString("utf8")) as ImageManifest;
    return layers.map(({ digest }) => digest);
  }

  async #push(image: string): Promise<void> {
    const { registry, repository, blob } = this.#options;
    // A removal in progress would delete the image after it was found.
    await this.#removals.get(tagOf(image))?.catch(() => {});
    if ((await registry.digest(repository, tagOf(image))) === image) return;
    const manifest = await blob(image);
    const { config, layers } = JSON.parse(Buffer.from(manifest).toString("utf8")) as ImageManifest;
    await Promise.all([...layers, config].map(({ digest }) => registry.pushBlob(repository, digest, () => blob(digest))));
    await registry.pushManifest(repository, tagOf(image), manifest);
    setTimeout(() => void this.#download(image), DOWNLOAD_AFTER_MS).unref();
  }

  /** Pre-downloads the image to nodes: by tag, because Kruise's daemon does not accept digests (measured). */
  async #download(image: string): Promise<void> {
    const { kube, pullSecret } = this.#options;
    const reference = this.reference(image, tagOf(image)).split("@")[0];
    const job = {
      apiVersion: "apps.kruise.io/v1alpha1",
      kind: "ImagePullJob",
      metadata: { name: `code-${tagOf(image)}`, labels: { [LABEL.pool]: "code" } },
      spec: {
        image: reference,
        // Only nodes that run instances: a cluster may have thousands of others.
        podSelector: { matchExpressions: [{ key: LABEL.pool, operator: "Exists" }] },
        parallelism: 10,
        pullPolicy: { timeoutSeconds: PULL_TIMEOUT_SECONDS, backoffLimit: 3 },
        completionPolicy: { type: "Always", activeDeadlineSeconds: PULL_TIMEOUT_SECONDS, ttlSecondsAfterFinished: KEEP_JOB_SECONDS },
        ...(pullSecret && { pullSecrets: [pullSecret] }),
      },
    };
    // An optimization only: without it the first swap pulls. `WriteFailures` reports the failure.
    await kube.create(`${CLONESETS}/namespaces/${kube.namespace}/imagepulljobs`, job, "image").catch(() => {});
  }
}
