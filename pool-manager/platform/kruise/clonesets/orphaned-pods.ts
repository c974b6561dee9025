import { Backoff } from "../../../async/backoff.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
import { KubeError } from "../../../kubernetes/error.ts";
import { type CloneSet, hasEnded, LABEL, ownerOf, type Pod, podPath } from "../objects/objects.ts";

/** How soon after its creation Kruise releases a pod that its CloneSet's selector does not match. */
const RELEASED_MS = 5000;
/** The pause before pods are requested again; it doubles each time. */
const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 300_000;

/** The last creation of pods in a CloneSet. */
interface Attempt {
  /** Uids of the pods that existed before. */
  before: ReadonlySet<string>;
  /** Null: the creation is in progress. */
  endedAt: number | null;
  /** Uids of the pods that Kruise has released. */
  released: Set<string>;
  /** Released pods that have lost their pool's label and are not deleted yet, by uid. */
  orphans: Map<string, Pod>;
  backoff: Backoff;
  notBefore: number;
}

/**
 * Handles pods that Kruise releases right after their creation, because a webhook or a policy has removed the label that
 * the CloneSet selects by: Kruise creates another pod instead, without end. Berth therefore stops requesting pods, and
 * requests a single one after a pause. A released pod that has kept its pool's label is an ordinary instance; one that has
 * lost it too has never served an invocation, and is deleted.
 */
export class OrphanedPods {
  readonly #kube: Pick<KubeClient, "namespace" | "delete">;
  readonly #attempts = new Map<string, Attempt>();

  constructor(kube: Pick<KubeClient, "namespace" | "delete">) {
    this.#kube = kube;
  }

  /**
   * Records that pods of the CloneSet are about to be requested, besides those with the uids `before`. Returns how many may
   * be requested: one if the last ones were released. Throws if that was too recent.
   */
  begin({ metadata: { name } }: CloneSet, before: ReadonlySet<string>): number {
    const last = this.#attempts.get(name);
    const failed = last !== undefined && last.released.size > 0;
    if (failed && performance.now() < last.notBefore) throw new KubeError(403, "Refused", this.reason(name) ?? "");
    const backoff = failed ? last.backoff : new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    this.#attempts.set(name, { before, endedAt: null, released: new Set(), orphans: last?.orphans ?? new Map(), backoff, notBefore: 0 });
    return failed ? 1 : Number.POSITIVE_INFINITY;
  }

  ended(name: string): void {
    const last = this.#attempts.get(name);
    if (last) last.endedAt = performance.now();
  }

  /** Records a pod that was seen, or that no longer counts as one of Berth's. */
  changed(pod: Pod): void {
    const { uid, name, labels, deletionTimestamp } = pod.metadata;
    const last = this.#attempts.get(setNameOf(name));
    if (!last || ownerOf(pod) !== undefined || deletionTimestamp || hasEnded(pod)) return;
    // Pods that are released later were released by hand.
    if (last.before.has(uid) || last.released.has(uid) || (last.endedAt !== null && performance.now() - last.endedAt > RELEASED_MS)) return;
    if (last.released.size === 0) {
      last.notBefore = performance.now() + last.backoff.next();
    }
    last.released.add(uid);
    if (labels?.[LABEL.pool] === undefined) last.orphans.set(uid, pod);
  }

  forget(name: string): void {
    this.#attempts.delete(name);
  }

  /** Why Kruise has released the last requested pods; null: it has not. */
  reason(name: string): string | null {
    if ((this.#attempts.get(name)?.released.size ?? 0) === 0) return null;
    return `Kruise releases new pods of CloneSet ${name}: something in the cluster, such as a webhook, removes or changes their label ${LABEL.set}`;
  }

  /** Deletes the orphans; the next call retries those that cannot be deleted now. */
  async clear(name: string): Promise<void> {
    const orphans = this.#attempts.get(name)?.orphans ?? new Map<string, Pod>();
    await Promise.all([...orphans.values()].map((pod) => this.#delete(pod).then((gone) => gone && orphans.delete(pod.metadata.uid))));
  }

  async #delete({ metadata: { name, uid } }: Pod): Promise<boolean> {
    return this.#kube.delete(podPath(this.#kube, name), { preconditions: { uid } }, "remove").then(
      () => true,
      ({ status }: KubeError) => status === 404 || status === 409,
    );
  }
}

/** The CloneSet's name in a pod's name, to which Kruise appends five characters. */
function setNameOf(pod: string): string {
  return pod.replace(/-[a-z0-9]{5}$/, "");
}
