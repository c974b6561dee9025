import type { KubeClient } from "../../../kubernetes/client.ts";
import type { Pod } from "../objects/objects.ts";
import { KUBELET_RECENT_MS, lastWarning } from "../objects/warnings.ts";

/** A pod's Events are read again after this. */
const EVERY_MS = 10_000;
/** Pods whose Events are read at once. */
const MAX_READS = 4;

interface Known {
  readAt: number;
  warning: string | null;
}

/** What keeps pods from starting that only their Events tell: a volume of a Secret that is missing, a sandbox that fails. */
export class PodWarnings {
  readonly #kube: Pick<KubeClient, "namespace" | "get" | "serverTime">;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  #reading = 0;

  constructor(kube: Pick<KubeClient, "namespace" | "get" | "serverTime">, now: () => number) {
    this.#kube = kube;
    this.#now = now;
  }

  /** The latest that was read; null: none. */
  of({ metadata }: Pod): string | null {
    return this.#known.get(metadata.uid)?.warning ?? null;
  }

  /** Reads it in the background, where that was not done lately. */
  check(pod: Pod): void {
    const { uid } = pod.metadata;
    const known = this.#known.get(uid);
    if (this.#reading >= MAX_READS || (known && this.#now() - known.readAt < EVERY_MS)) return;
    const next: Known = { readAt: this.#now(), warning: known?.warning ?? null };
    this.#known.set(uid, next);
    this.#reading += 1;
    void lastWarning(this.#kube, pod, KUBELET_RECENT_MS).then((warning) => {
      next.warning = warning;
      this.#reading -= 1;
    });
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }
}
