import type { KubeClient } from "../../../kubernetes/client.ts";
import type { Pod } from "../objects/objects.ts";
import { KUBELET_RECENT_MS, lastWarning } from "../objects/warnings.ts";

/** The shortest time between two reads of a pod's Events. */
const EVERY_MS = 10_000;
/** How many pods' Events are read concurrently. */
const MAX_READS = 4;

interface Known {
  readAt: number;
  warning: string | null;
}

/** Reasons why pods do not start that only their Events contain, such as a missing Secret of a volume or a failing sandbox. */
export class PodWarnings {
  readonly #kube: Pick<KubeClient, "namespace" | "get" | "serverTime">;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  #reading = 0;

  constructor(kube: Pick<KubeClient, "namespace" | "get" | "serverTime">, now: () => number) {
    this.#kube = kube;
    this.#now = now;
  }

  /** The latest warning that was read; null: none. */
  of({ metadata }: Pod): string | null {
    return this.#known.get(metadata.uid)?.warning ?? null;
  }

  /** Reads the pod's Events in the background, unless that was done recently. */
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
