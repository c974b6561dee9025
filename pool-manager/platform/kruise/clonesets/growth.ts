import { ReadWriteLock } from "../../../async/read-write-lock.ts";
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

/** Pods of a raised pool are seen by then, or the raise has failed. */
const CREATED_MS = 3000;

/** Has Kruise create pods, and knows why those that were asked for last did not come. */
export class SetGrowth {
  readonly #kube: KubeClient;
  readonly #pods: Informer<Pod>;
  readonly #writer: CloneSetWriter;
  readonly #memberships = new Map<string, ReadWriteLock>();
  /** Pods of a set that Kruise was found to count, and that are not seen. */
  readonly #unseen = new Map<string, number>();
  readonly #strays: OrphanedPods;
  readonly #refused = new Map<string, string>();
  /** Sets in which Kruise is being told to create no pods. */
  readonly #closing = new Map<string, Promise<void>>();

  constructor(kube: KubeClient, pods: Informer<Pod>, writer: CloneSetWriter) {
    this.#kube = kube;
    this.#pods = pods;
    this.#writer = writer;
    this.#strays = new OrphanedPods(kube);
  }

  /** Pods may come later than was waited for. */
  noticed(set: CloneSet): void {
    if (isComplete(set)) this.#refused.delete(set.metadata.name);
  }

  gone(name: string): void {
    this.#refused.delete(name);
    this.#strays.forget(name);
    this.#unseen.delete(name);
    this.#memberships.delete(name);
  }

  podChanged(pod: Pod): void {
    this.#strays.changed(pod);
  }

  /** Why the last pods that were asked of a set did not come; null: they did. */
  refusalOf(name: string): string | null {
    return this.#refused.get(name) ?? null;
  }

  /**
   * Has Kruise create pods in the set that `ensure` finds or makes: `count` decides, from those that are live, how many. No
   * pod leaves it meanwhile: Kruise would replace it as soon as another one has become ready (seen: seven pods in a pool of
   * at most six). Rejects where they do not come, with the reason that Kruise or the API server gives.
   */
  create(name: string, ensure: () => Promise<unknown>, count: (live: Pod[]) => number): Promise<void> {
    return this.#writer.exclusively(name, () => this.#membership(name).exclusive(() => this.#createAndTell(name, ensure, count)));
  }

  /** Moves a pod out of this CloneSet, while that creates none. */
  async moveOut<T>(name: string, work: () => Promise<T>): Promise<T> {
    await this.#close(name);
    return this.#membership(name).shared(work);
  }

  /** Kruise would replace a pod that moves out where a pool manager that let pods come has ended, or its last write was refused. */
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
      await this.#strays.clear(name);
    }
  }

  async #createNow(name: string, count: (live: Pod[]) => number): Promise<void> {
    const set = this.#writer.known(name);
    const live = this.#live(name);
    const before = new Set([...this.#pods.all()].map(({ metadata }) => metadata.uid));
    const wanted = count(live);
    if (wanted <= 0) return;
    const missing = Math.min(wanted, this.#strays.begin(set, before));
    const unseen = Math.min(this.#unseen.get(name) ?? 0, unseenPods(set, live));
    // What Kruise is still to delete it does not replace, for `replicas` was lowered for it: one counted here would be replaced.
    const leaving = new Set(set.spec.scaleStrategy?.podsToDelete ?? []);
    const stay = live.filter(({ metadata }) => !leaving.has(metadata.name)).length;
    const goal = stay + unseen + missing;
    // Only so many may be unavailable: a pod that is claimed meanwhile is not replaced.
    const unavailable = live.filter((pod) => !isReady(pod)).length;
    await this.#writer.setReplicas(set, goal, [{ op: "add", path: "/spec/scaleStrategy/maxUnavailable", value: unavailable + missing }], "pool");
    const toCome = () => missing - this.#live(name).filter(({ metadata }) => !before.has(metadata.uid)).length;
    const refusal = () => this.#strays.reason(name) ?? failedScaleOf(this.#writer.known(name));
    await until(() => toCome() <= 0 || refusal() !== null);
    const short = toCome();
    const reason = short > 0 ? (refusal() ?? (await lastWarning(this.#kube, set)) ?? this.#unseenIn(name, goal)) : null;
    await this.#writer.patch(name, noPods(this.#writer.known(name)), "pool");
    this.#strays.ended(name);
    if (reason) throw new KubeError(403, REFUSED, reason);
    this.#refused.delete(name);
    if (short > 0) throw new KubeError(0, "FailedScale", `Kruise has not created ${short} of ${missing} pods within ${CREATED_MS} ms`);
  }

  /** Kruise has as many pods as it was asked for, and some of them are not seen here: the next time they are counted in. */
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

async function until(check: () => boolean): Promise<void> {
  for (const deadline = performance.now() + CREATED_MS; performance.now() < deadline && !check(); ) await new Promise((resolve) => setTimeout(resolve, 10));
}
