import { ReadWriteLock } from "../../../async/read-write-lock.ts";
import { until } from "../../../async/wait.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
import { KubeError } from "../../../kubernetes/error.ts";
import type { Informer } from "../../../kubernetes/informer/informer.ts";
import type { CloneSet, Pod } from "../objects/objects.ts";
import { lastWarning } from "../objects/warnings.ts";
import { failedScaleOf, isComplete, isReady, livePods, unseenPods } from "./counts.ts";
import { REFUSED } from "./ending.ts";
import { OrphanedPods } from "./orphaned-pods.ts";
import { noPods } from "./update-strategy.ts";
import type { CloneSetWriter } from "./writer.ts";

/** How long created pods may take to appear; after that the creation has failed. */
const CREATED_MS = 3000;

/** Makes Kruise create pods, and remembers why the last requested ones were not created. */
export class SetGrowth {
  readonly #kube: KubeClient;
  readonly #pods: Informer<Pod>;
  readonly #writer: CloneSetWriter;
  readonly #memberships = new Map<string, ReadWriteLock>();
  /** How many pods of a CloneSet Kruise counts and the watch does not show, by the CloneSet's name. */
  readonly #unseen = new Map<string, number>();
  readonly #orphans: OrphanedPods;
  readonly #refused = new Map<string, string>();
  /** Writes in flight that forbid Kruise to create pods, by the CloneSet's name. */
  readonly #closing = new Map<string, Promise<void>>();

  constructor(kube: KubeClient, pods: Informer<Pod>, writer: CloneSetWriter) {
    this.#kube = kube;
    this.#pods = pods;
    this.#writer = writer;
    this.#orphans = new OrphanedPods(kube);
  }

  /** Clears the refusal of a CloneSet that has all its pods: they may appear after the wait has ended. */
  noticed(set: CloneSet): void {
    if (isComplete(set)) this.#refused.delete(set.metadata.name);
  }

  gone(name: string): void {
    this.#refused.delete(name);
    this.#orphans.forget(name);
    this.#unseen.delete(name);
    this.#memberships.delete(name);
  }

  podChanged(pod: Pod): void {
    this.#orphans.changed(pod);
  }

  /** Why the last requested pods of a CloneSet were not created; null: they were. */
  refusalOf(name: string): string | null {
    return this.#refused.get(name) ?? null;
  }

  /**
   * Makes Kruise create pods in the CloneSet that `ensure` finds or creates; `count` returns how many, given the live ones.
   * No pod is moved out meanwhile: Kruise would replace it as soon as another one is ready (observed: seven pods in a pool
   * with a max of six). Rejects if the pods are not created, with the reason that Kruise or the API server gives.
   */
  create(name: string, ensure: () => Promise<unknown>, count: (live: Pod[]) => number): Promise<void> {
    return this.#writer.exclusively(name, () => this.#membership(name).exclusive(() => this.#createAndTell(name, ensure, count)));
  }

  /** Runs `work`, which moves a pod out of this CloneSet, while Kruise creates none in it. */
  async moveOut<T>(name: string, work: () => Promise<T>): Promise<T> {
    await this.#close(name);
    return this.#membership(name).shared(work);
  }

  /**
   * Forbids Kruise to create pods in the CloneSet, if an earlier pool manager ended in the middle of a creation or its last
   * write was refused: Kruise would replace a pod that is moved out.
   */
  async #close(name: string): Promise<void> {
    const isOpen = () => noPods(this.#writer.known(name)).length > 0;
    if (!this.#closing.has(name) && !isOpen()) return;
    const closing =
      this.#closing.get(name) ??
      this.#writer
        .exclusively(name, async () => {
          if (!isOpen()) return;
          await this.#writer.patch(name, noPods(this.#writer.known(name)), "pool");
          await this.#writer.observed(name, 0);
        })
        .finally(() => this.#closing.delete(name));
    this.#closing.set(name, closing);
    await closing;
  }

  async #createAndTell(name: string, ensure: () => Promise<unknown>, count: (live: Pod[]) => number): Promise<void> {
    try {
      await ensure();
      await this.#createNow(name, count);
    } catch (error) {
      const { reason, message } = error as KubeError;
      if (reason === REFUSED) this.#refused.set(name, message);
      throw error;
    } finally {
      await this.#orphans.clear(name);
    }
  }

  async #createNow(name: string, count: (live: Pod[]) => number): Promise<void> {
    const set = this.#writer.known(name);
    const live = this.#live(name);
    const before = new Set([...this.#pods.all()].map(({ metadata }) => metadata.uid));
    const wanted = count(live);
    if (wanted <= 0) return;
    const missing = Math.min(wanted, this.#orphans.begin(set, before));
    const unseen = Math.min(this.#unseen.get(name) ?? 0, unseenPods(set, live));
    // Pods that Kruise has yet to delete are not counted: `replicas` was already lowered for them, and counting them would replace them.
    const leaving = new Set(set.spec.scaleStrategy?.podsToDelete ?? []);
    const stay = live.filter(({ metadata }) => !leaving.has(metadata.name)).length;
    const goal = stay + unseen + missing;
    // `maxUnavailable` allows exactly the missing pods: a pod that is claimed meanwhile is not replaced.
    const unavailable = live.filter((pod) => !isReady(pod)).length;
    await this.#writer.setReplicas(set, goal, [{ op: "add", path: "/spec/scaleStrategy/maxUnavailable", value: unavailable + missing }], "pool");
    const toCome = () => missing - this.#live(name).filter(({ metadata }) => !before.has(metadata.uid)).length;
    const refusal = () => this.#orphans.reason(name) ?? failedScaleOf(this.#writer.known(name));
    await until(() => toCome() <= 0 || refusal() !== null, { boundMs: CREATED_MS, everyMs: 10 });
    const short = toCome();
    const reason = short > 0 ? (refusal() ?? (await lastWarning(this.#kube, set)) ?? this.#unseenIn(name, goal)) : null;
    await this.#writer.patch(name, noPods(this.#writer.known(name)), "pool");
    this.#orphans.ended(name);
    if (reason) throw new KubeError(403, REFUSED, reason);
    this.#refused.delete(name);
    if (short > 0) throw new KubeError(0, "FailedScale", `Kruise has not created ${short} of ${missing} pods within ${CREATED_MS} ms`);
  }

  /** Detects that Kruise counts all requested pods but some are not visible here; the next creation includes them. Null: that is not so. */
  #unseenIn(name: string, goal: number): string | null {
    const set = this.#writer.known(name);
    const unseen = unseenPods(set, this.#live(name));
    if (unseen === 0 || (set.status?.replicas ?? 0) < goal) return null;
    this.#unseen.set(name, unseen);
    return `Kruise counts ${unseen} pods of CloneSet ${name} that the API server does not show`;
  }

  #live(name: string): Pod[] {
    return livePods(this.#writer.known(name), this.#pods.all());
  }

  #membership(name: string): ReadWriteLock {
    const lock = this.#memberships.get(name) ?? new ReadWriteLock();
    this.#memberships.set(name, lock);
    return lock;
  }
}
