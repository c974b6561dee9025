import type { KubeClient } from "../../../kubernetes/client.ts";
import type { KubeError } from "../../../kubernetes/error.ts";
import { ownerOf, type Pod } from "../objects/objects.ts";
import type { KnownSets } from "../objects/pod-owner.ts";
import { endingOf } from "./ending.ts";

/**
 * A removal shows as undone for this long before it is taken for that. Kruise takes names off its list when their pods are
 * on their way out, which the pods' own watch may tell later; and by then a CloneSet that somebody has edited is corrected,
 * so that another deletion is counted right.
 */
const UNDONE_MS = 15_000;

/** By the pod's uid. */
export interface UndoneListener {
  /** The API server says that nobody deletes it: whoever has decided on that decides again. */
  undone(uid: string): void;
  /** The API server says that there is none. */
  gone(uid: string): void;
}

/**
 * Removals that were asked for and will not happen: somebody has taken the pod off its CloneSet's `podsToDelete` while Kruise
 * stood still, or has deleted the CloneSet, of which Kruise deletes no pods any more.
 */
export class UndoneRemovals {
  readonly #kube: Pick<KubeClient, "namespace" | "get">;
  readonly #sets: KnownSets;
  readonly #told: UndoneListener;
  readonly #since = new Map<string, number>();
  readonly #asking = new Set<string>();

  constructor(kube: Pick<KubeClient, "namespace" | "get">, sets: KnownSets, told: UndoneListener) {
    this.#told = told;
    this.#kube = kube;
    this.#sets = sets;
  }

  /** Looks at a pod whose CloneSet was asked to delete it. */
  check(pod: Pod, now: number): void {
    const { uid, name } = pod.metadata;
    if (!isUndone(pod, this.#sets)) return void this.#since.delete(uid);
    const since = this.#since.get(uid) ?? now;
    this.#since.set(uid, since);
    if (now - since < UNDONE_MS || this.#asking.has(uid)) return;
    this.#asking.add(uid);
    this.#ask(name, uid)
      .then((answer) => {
        this.#since.delete(uid);
        if (answer === "stays") this.#told.undone(uid);
        else if (answer === "gone") this.#told.gone(uid);
      })
      // It is asked again at the next look.
      .catch(() => {})
      .finally(() => this.#asking.delete(uid));
  }

  forget(uid: string): void {
    this.#since.delete(uid);
  }

  async #ask(name: string, uid: string): Promise<"stays" | "goes" | "gone"> {
    try {
      const { metadata } = await this.#kube.get<Pod>(`/api/v1/namespaces/${this.#kube.namespace}/pods/${name}`);
      if (metadata.uid !== uid) return "gone";
      return metadata.deletionTimestamp ? "goes" : "stays";
    } catch (error) {
      if ((error as KubeError).status === 404) return "gone";
      throw error;
    }
  }
}

function isUndone(pod: Pod, sets: KnownSets): boolean {
  if (pod.metadata.deletionTimestamp) return false;
  const { name = "" } = pod.metadata.ownerReferences?.find(({ controller }) => controller) ?? {};
  const set = sets.get(name);
  return set?.metadata.uid !== ownerOf(pod) || !set || endingOf(set) !== null || !(set.spec.scaleStrategy?.podsToDelete ?? []).includes(pod.metadata.name);
}
