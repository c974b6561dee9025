import pLimit from "p-limit";
import type { Former, Secrets } from "../../functions/function.ts";
import type { ImageManifest } from "../../images/oci.ts";
import { ANNOTATION, CLONESETS, type CloneSet, CODE_CONTAINER, LABEL, type Pod } from "../../platform/kruise/objects/objects.ts";
import type { KubeApi } from "./resource-client.ts";

/** How long one listing serves: many resources may return together. */
const FRESH_MS = 5000;
const MAX_READS = 8;

export interface FormerOptions {
  kube: KubeApi;
  /** Reads a manifest or configuration of a code image. */
  blob(digest: string): Promise<Uint8Array>;
  /** Reads the kept secret values of functions, by uid. */
  secrets(): Promise<ReadonlyMap<string, Secrets>>;
  /** Whether there is a record of this function, which need not be recovered then. */
  isKnown(uid: string): boolean;
}

/**
 * Recovers functions whose resources have lost their status: their CloneSets and pods carry the functions' uids, and the
 * labels of their code images name function and revision.
 */
export class FormerFunctions {
  readonly #options: FormerOptions;
  #found: { at: number; byName: Promise<Map<string, Former[]>> } | null = null;

  constructor(options: FormerOptions) {
    this.#options = options;
  }

  /** The former functions of this name, those with pods first. */
  async of(name: string): Promise<readonly Former[]> {
    if (!this.#found || performance.now() - this.#found.at > FRESH_MS) {
      const byName = this.#check();
      this.#found = { at: performance.now(), byName };
      byName.catch(() => {
        this.#found = null;
      });
    }
    return (await this.#found.byName).get(name) ?? [];
  }

  async #check(): Promise<Map<string, Former[]>> {
    const { kube, secrets } = this.#options;
    const selector = { labelSelector: LABEL.function };
    const [sets, pods, kept] = await Promise.all([
      kube.get<{ items: CloneSet[] }>(`${CLONESETS}/namespaces/${kube.namespace}/clonesets`, selector),
      kube.get<{ items: Pod[] }>(`/api/v1/namespaces/${kube.namespace}/pods`, selector),
      secrets(),
    ]);
    const limit = pLimit(MAX_READS);
    const images = imagesOf([...sets.items, ...pods.items].filter(({ metadata }) => !this.#options.isKnown(metadata.labels?.[LABEL.function] ?? "")));
    const all = [...images].map(([image, uid]) => limit(() => this.#read(image, uid).catch(() => null)));
    const revisions = (await Promise.all(all)).filter((one) => one !== null);
    const shown = new Map<string, number>();
    for (const { metadata } of pods.items) raise(shown, metadata.labels?.[LABEL.function] ?? "", metadata.annotations?.[ANNOTATION.revision]);
    for (const { uid, revision } of revisions) raise(shown, uid, revision);
    const isRunning = new Set(pods.items.map(({ metadata }) => metadata.labels?.[LABEL.function]));
    const byName = new Map<string, Former[]>();
    for (const { name, ...one } of revisions) {
      const former = { ...one, highest: shown.get(one.uid) ?? 0, secrets: kept.get(one.uid)?.[one.revision] ?? {} };
      byName.set(name, [...(byName.get(name) ?? []), former]);
    }
    for (const formers of byName.values()) formers.sort((a, b) => Number(isRunning.has(b.uid)) - Number(isRunning.has(a.uid)));
    return byName;
  }

  /** Reads the function and revision from an image's labels; null: it lacks them. */
  async #read(image: string, uid: string): Promise<{ name: string; uid: string; revision: string; identity: string } | null> {
    const { config } = JSON.parse(text(await this.#options.blob(image))) as ImageManifest;
    const { config: { Labels = {} } = {} } = JSON.parse(text(await this.#options.blob(config.digest))) as { config?: { Labels?: Record<string, string> } };
    const { "dev.berth.function": name, "dev.berth.revision": revision, "dev.berth.identity": identity } = Labels;
    return name && revision && identity ? { name, uid, revision, identity } : null;
  }
}

/** Uids of functions by the digest of a code image in their CloneSets or pods. */
function imagesOf(objects: readonly (CloneSet | Pod)[]): Map<string, string> {
  const images = new Map<string, string>();
  for (const object of objects) {
    const { containers } = "template" in object.spec ? object.spec.template.spec : object.spec;
    const digest = containers.find(({ name }) => name === CODE_CONTAINER)?.image.split("@")[1];
    const uid = object.metadata.labels?.[LABEL.function];
    if (digest && uid) images.set(digest, uid);
  }
  return images;
}

function raise(highest: Map<string, number>, uid: string, revision = ""): void {
  highest.set(uid, Math.max(highest.get(uid) ?? 0, Number(revision.slice(1)) || 0));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
