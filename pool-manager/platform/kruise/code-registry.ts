import pLimit from "p-limit";
import type { ImageManifest } from "../../images/oci.ts";
import type { RegistryClient } from "../../images/registry.ts";
import { tagOf } from "../../images/runtime-image.ts";
import type { Kube } from "./kube.ts";
import { CLONESETS, LABEL } from "./objects.ts";

const KEEP_JOB_SECONDS = 120;
const PULL_TIMEOUT_SECONDS = 300;
/** Images that are pushed at once. */
const MAX_PUSHES = 8;
/** Instances that take a new revision in place pull it themselves, and should not have to compete. Milliseconds. */
const DOWNLOAD_AFTER_MS = 500;

export interface CodeRegistryOptions {
  kube: Kube;
  registry: RegistryClient;
  /** Repository of this cluster's code images, below the registry's prefix. */
  repository: string;
  /** Bytes of a blob or manifest. */
  blob(digest: string): Promise<Uint8Array>;
  /** Secret with which nodes pull; null: none is needed. */
  pullSecret: string | null;
}

/** Code images in the registry that nodes pull from: pushed at deployment, pre-downloaded, removed when no revision needs them. */
export class CodeRegistry {
  readonly #options: CodeRegistryOptions;
  /** After a start every function's image is looked for. */
  readonly #limit = pLimit(MAX_PUSHES);
  readonly #published = new Map<string, Promise<void>>();

  constructor(options: CodeRegistryOptions) {
    this.#options = options;
  }

  /** Resolves once the image is in the registry; a failed push is tried again by the next call. */
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
   * By a tag of one's choice and digest. A tag that the pod has not run lately keeps a swap out of the kubelet's
   * back-off, which goes by the image's string; the digest decides what runs, and a node that has it does not pull.
   */
  reference(image: string, swapTag: string): string {
    return this.#options.registry.reference(this.#options.repository, swapTag, image);
  }

  /** The bytes of a blob or manifest that some pool manager has published. Throws `RegistryError` where there is none. */
  async fetch(digest: string): Promise<Uint8Array> {
    const { registry, repository } = this.#options;
    return registry.read(repository, digest);
  }

  /** Removes every other image. */
  async retain(images: ReadonlySet<string>): Promise<void> {
    const { registry, repository } = this.#options;
    for (const image of this.#published.keys()) if (!images.has(image)) this.#published.delete(image);
    const needed = new Set([...images].map(tagOf));
    for (const tag of await registry.tags(repository)) {
      if (needed.has(tag)) continue;
      const digest = await registry.digest(repository, tag);
      if (digest) await registry.deleteManifest(repository, digest);
    }
  }

  async #push(image: string): Promise<void> {
    const { registry, repository, blob } = this.#options;
    if ((await registry.digest(repository, tagOf(image))) === image) return;
    const manifest = await blob(image);
    const { config, layers } = JSON.parse(Buffer.from(manifest).toString("utf8")) as ImageManifest;
    await Promise.all([...layers, config].map(({ digest }) => registry.pushBlob(repository, digest, () => blob(digest))));
    await registry.pushManifest(repository, tagOf(image), manifest);
    setTimeout(() => void this.#download(image), DOWNLOAD_AFTER_MS).unref();
  }

  /** Has the nodes pull it ahead of its first use: by tag, since Kruise's daemon does not take digests (measured). */
  async #download(image: string): Promise<void> {
    const { kube, pullSecret } = this.#options;
    const reference = this.reference(image, tagOf(image)).split("@")[0];
    const job = {
      apiVersion: "apps.kruise.io/v1alpha1",
      kind: "ImagePullJob",
      metadata: { name: `code-${tagOf(image)}`, labels: { [LABEL.pool]: "code" } },
      spec: {
        image: reference,
        parallelism: 10,
        pullPolicy: { timeoutSeconds: PULL_TIMEOUT_SECONDS, backoffLimit: 3 },
        completionPolicy: { type: "Always", activeDeadlineSeconds: PULL_TIMEOUT_SECONDS, ttlSecondsAfterFinished: KEEP_JOB_SECONDS },
        ...(pullSecret && { pullSecrets: [pullSecret] }),
      },
    };
    // A head start, no more: without it the first swap pulls.
    await kube.create(`${CLONESETS}/namespaces/${kube.namespace}/imagepulljobs`, job, "image").catch(() => {});
  }
}
