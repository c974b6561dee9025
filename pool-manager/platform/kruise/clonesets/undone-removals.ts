import type { KubeClient } from "../../../kubernetes/client.ts";
import type { KubeError } from "../../../kubernetes/error.ts";
import { ownerOf, type Pod, podPath } from "../objects/objects.ts";
import type { KnownSets } from "../objects/pod-owner.ts";
import { endingOf } from "./ending.ts";

/**
 * How long a removal must appear undone before it is checked. Kruise removes names from `podsToDelete` once their pods are
 * being deleted, which the watch of pods may report later. By then an edited CloneSet has also been corrected, so that
 * another deletion is counted correctly.
 */
const UNDONE_MS = 15_000;

/** Receives the pod's uid. */
export interface UndoneListener {
  /** The API server confirms that the pod is not being deleted: the removal must be decided again. */
  undone(uid: string): void;
  /** The API server confirms that the pod does not exist. */
  gone(uid: string): void;
}

/**
 * Detects requested removals that will not happen: the pod was taken off its CloneSet's `podsToDelete` by others while
 * Kruise was down, or the CloneSet was deleted, and Kruise deletes no pods of a deleted CloneSet.
 */
export class UndoneRemovals {
  readonly #kube: Pick<KubeClient, "namespace" | "get">;
  readonly #sets: KnownSets;
  readonly #listener: UndoneListener;
  readonly #since = new Map<string, number>();
  readonly #asking = new Set<string>();

  constructor(kube: Pick<KubeClient, "namespace" | "get">, sets: KnownSets, listener: UndoneListener) {
    this.#listener = listener;
    this.#kube = kube;
    this.#sets = sets;
  }

  /** Checks a pod whose CloneSet was told to delete it. */
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
        if (answer === "stays") this.#listener.undone(uid);
        else if (answer === "gone") this.#listener.gone(uid);
      })
      // The next check retries.
      .catch(() => {})
      .finally(() => this.#asking.delete(uid));
  }

  forget(uid: string): void {
    this.#since.delete(uid);
  }

  async #ask(name: string, uid: string): Promise<"stays" | "goes" | "gone"> {
    try {
      const { metadata } = await this.#kube.get<Pod>(podPath(this.#kube, name));
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
