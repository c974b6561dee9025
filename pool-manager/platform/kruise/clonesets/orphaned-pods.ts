import type { KubeClient } from "../../../kubernetes/client.ts";
import { KubeError } from "../../../kubernetes/error.ts";
import { type CloneSet, hasEnded, LABEL, ownerOf, type Pod } from "../objects/objects.ts";

/** Kruise lets a pod that it does not know as its own go within this time of having made it. */
const LET_GO_MS = 5000;
/** Pods are asked for again after a pause that doubles. */
const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 300_000;

/** The last time that pods of a CloneSet were asked for. */
interface Try {
  /** Uids of the pods that there were. */
  before: ReadonlySet<string>;
  /** Null: it goes on. */
  endedAt: number | null;
  /** Uids of the pods that were let go, and those of them that nobody knows and that are still there. */
  letGo: Set<string>;
  strays: Map<string, Pod>;
  pauseMs: number;
  notBefore: number;
}

/**
 * Kruise lets go at once of a new pod that lacks the label by which its CloneSet selects, because a webhook or a policy
 * has taken it away; then it makes another one in its place, without end. So no more are asked for, and one after a
 * pause. A pod that has kept its pool's label is an instance like others; one that has lost it too has never served
 * anybody, and nobody knows it: it is deleted.
 */
export class OrphanedPods {
  readonly #kube: Pick<KubeClient, "namespace" | "delete">;
  readonly #tries = new Map<string, Try>();

  constructor(kube: Pick<KubeClient, "namespace" | "delete">) {
    this.#kube = kube;
  }

  /**
   * Pods of the CloneSet are about to be asked for, beside those of these uids. Returns how many may be: one, where the
   * last ones were let go. Throws where that was a short time ago.
   */
  begin({ metadata: { name } }: CloneSet, before: ReadonlySet<string>): number {
    const last = this.#tries.get(name);
    const failed = last !== undefined && last.letGo.size > 0;
    if (failed && performance.now() < last.notBefore) throw new KubeError(403, "Refused", this.reason(name) ?? "");
    const pauseMs = failed ? last.pauseMs : 0;
    this.#tries.set(name, { before, endedAt: null, letGo: new Set(), strays: last?.strays ?? new Map(), pauseMs, notBefore: 0 });
    return failed ? 1 : Number.POSITIVE_INFINITY;
  }

  ended(name: string): void {
    const last = this.#tries.get(name);
    if (last) last.endedAt = performance.now();
  }

  /** A pod was seen, or is not among Berth's any more. */
  changed(pod: Pod): void {
    const { uid, name, labels, deletionTimestamp } = pod.metadata;
    const last = this.#tries.get(setNameOf(name));
    if (!last || ownerOf(pod) !== undefined || deletionTimestamp || hasEnded(pod)) return;
    // What is let go later somebody has let go by hand.
    if (last.before.has(uid) || last.letGo.has(uid) || (last.endedAt !== null && performance.now() - last.endedAt > LET_GO_MS)) return;
    if (last.letGo.size === 0) {
      last.pauseMs = Math.min(last.pauseMs * 2 || FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
      last.notBefore = performance.now() + last.pauseMs;
    }
    last.letGo.add(uid);
    if (labels?.[LABEL.pool] === undefined) last.strays.set(uid, pod);
  }

  forget(name: string): void {
    this.#tries.delete(name);
  }

  /** Why the pods that were asked for last are nobody's; null: they are not. */
  reason(name: string): string | null {
    if ((this.#tries.get(name)?.letGo.size ?? 0) === 0) return null;
    return `Kruise lets go of new pods of CloneSet ${name}: something at the cluster, such as a webhook, takes away or changes their label ${LABEL.set}`;
  }

  /** Deletes those that are left; what cannot be deleted now stays for the next time. */
  async clear(name: string): Promise<void> {
    const strays = this.#tries.get(name)?.strays ?? new Map<string, Pod>();
    await Promise.all([...strays.values()].map((pod) => this.#delete(pod).then((gone) => gone && strays.delete(pod.metadata.uid))));
  }

  async #delete({ metadata: { name, uid } }: Pod): Promise<boolean> {
    const path = `/api/v1/namespaces/${this.#kube.namespace}/pods/${name}`;
    return this.#kube.delete(path, { preconditions: { uid } }, "remove").then(
      () => true,
      ({ status }: KubeError) => status === 404 || status === 409,
    );
  }
}

/** Kruise adds five characters to it. */
function setNameOf(pod: string): string {
  return pod.replace(/-[a-z0-9]{5}$/, "");
}
