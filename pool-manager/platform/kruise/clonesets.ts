import { PlatformError } from "../platform.ts";
import { Batches } from "./batches.ts";
import { poolOfSet } from "./belonging.ts";
import { correctionOf, type JsonPatch } from "./correction.ts";
import type { Kube, WritePurpose } from "./kube.ts";
import { KubeError } from "./kube-error.ts";
import { ANNOTATION, CLONESETS, type CloneSet, type Pod } from "./objects.ts";
import type { Reflector } from "./reflector.ts";
import { countedPods, failedScaleOf, isComplete, isReady, livePods, unseenPods } from "./set-counts.ts";
import { SharedLock } from "./shared-lock.ts";
import { Strays } from "./strays.ts";
import { lastWarning } from "./warnings.ts";

/** Pods of a raised pool are seen by then, or the raise has failed. Milliseconds. */
const CREATED_MS = 3000;
/** Tries of a raise that others' writes to the CloneSet come in between. */
const RAISE_ATTEMPTS = 5;
/** A CloneSet's controller has taken in a change by then. Milliseconds. */
const OBSERVED_MS = 5000;

/** Of errors that say why pods do not come: they are told until some do. */
const REFUSED = "Refused";

const TERM_POINTER = ANNOTATION.term.replace("/", "~1");

/** A CloneSet to which nobody has written for this long has no claim under way, of whatever pool manager. Milliseconds. */
const SETTLED_MS = 10_000;

export interface CloneSetsOptions {
  kube: Kube;
  sets: Reflector<CloneSet>;
  pods: Reflector<Pod>;
  /** Leadership term, written with each change. */
  term: number;
  /** Two raises of one CloneSet are this far apart: claims that come meanwhile share the second. Milliseconds. */
  raiseEveryMs: number;
}

/**
 * Writes to CloneSets, one after the other for each. With fewer replicas than pods Kruise deletes pods of its choice,
 * with more it holds deletions back. So `replicas` is changed only from the value that we know, claims add to it what
 * they need, and it is set to the number of live pods only where no claim of another pool manager can be under way.
 */
export class CloneSets {
  readonly #kube: Kube;
  readonly #sets: Reflector<CloneSet>;
  readonly #pods: Reflector<Pod>;
  readonly #path: string;
  readonly #term: number;
  readonly #written = new Map<string, { generation: number; at: number }>();
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #raises: Batches;
  /** Claims of each set that are under way: their pods are not live in it yet. */
  readonly #claims = new Map<string, number>();
  readonly #creating = new Map<string, Promise<CloneSet>>();
  readonly #memberships = new Map<string, SharedLock>();
  /** Pods of a set that Kruise was found to count, and that are not seen. */
  readonly #unseen = new Map<string, number>();
  readonly #strays: Strays;
  /** Why the last pods that were asked of a set did not come. */
  readonly #refused = new Map<string, string>();

  constructor({ kube, sets, pods, term, raiseEveryMs }: CloneSetsOptions) {
    this.#term = term;
    this.#raises = new Batches(raiseEveryMs, (name, count) => this.#raise(name, count));
    this.#kube = kube;
    this.#strays = new Strays(kube);
    this.#sets = sets;
    this.#pods = pods;
    this.#path = `${CLONESETS}/namespaces/${kube.namespace}/clonesets`;
  }

  /** A CloneSet was seen: its generation tells when somebody last wrote to it. */
  noticed(set: CloneSet): void {
    const { name, generation = 0 } = set.metadata;
    // Pods may come later than was waited for.
    if (isComplete(set)) this.#refused.delete(name);
    if (this.#written.get(name)?.generation !== generation) this.#written.set(name, { generation, at: performance.now() });
  }

  gone({ metadata }: CloneSet): void {
    this.#refused.delete(metadata.name);
    this.#strays.forget(metadata.name);
    this.#unseen.delete(metadata.name);
    this.#memberships.delete(metadata.name);
    this.#written.delete(metadata.name);
  }

  podChanged(pod: Pod): void {
    this.#strays.changed(pod);
  }

  live(set: CloneSet): Pod[] {
    return livePods(set, this.#pods.all());
  }

  counted(): Map<string, number> {
    return countedPods(this.#sets.all());
  }

  /** Why pods that were asked for do not come, by pool. */
  refusals(): Map<string, string> {
    const refusals = new Map<string, string>();
    for (const set of this.#sets.all()) {
      const reason = failedScaleOf(set) ?? this.#refused.get(set.metadata.name);
      if (reason) refusals.set(poolOfSet(set), reason);
    }
    return refusals;
  }

  /** The CloneSet of this name, created where it is missing. */
  ensure(name: string, manifest: () => object): Promise<CloneSet> {
    const known = this.#sets.get(name);
    if (known) return Promise.resolve(known);
    const creating = this.#creating.get(name) ?? this.#create(name, manifest()).finally(() => this.#creating.delete(name));
    this.#creating.set(name, creating);
    return creating;
  }

  /** Waits until the controller has taken in the latest change, so that `status.updateRevision` is that of the template. */
  observed(name: string): Promise<CloneSet> {
    return this.#seen(name, 0);
  }

  /** … and at least the change of this generation; a later one may come meanwhile. */
  async #seen(name: string, generation: number): Promise<CloneSet> {
    for (const deadline = Date.now() + OBSERVED_MS; Date.now() < deadline; ) {
      const set = this.#sets.get(name);
      const wanted = generation || (set?.metadata.generation ?? 0);
      if (set?.status?.updateRevision && (set.status.observedGeneration ?? 0) >= wanted) return set;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new KubeError(0, "Timeout", `Kruise has not taken in CloneSet ${name} within ${OBSERVED_MS} ms`);
  }

  /** Another template image; pods keep theirs until they are patched (partition 100 %). */
  setImage(name: string, container: string, image: string): Promise<void> {
    return this.#exclusively(name, async () => {
      const set = this.#known(name);
      const index = set.spec.template.spec.containers.findIndex((candidate) => candidate.name === container);
      const { image: before } = set.spec.template.spec.containers[index] ?? {};
      if (before === image) return;
      await this.#patch(
        name,
        [
          { op: "test", path: `/spec/template/spec/containers/${index}/name`, value: container },
          { op: "replace", path: "/spec/updateStrategy/partition", value: "100%" },
          { op: "replace", path: `/spec/template/spec/containers/${index}/image`, value: image },
        ],
        "function",
      );
    });
  }

  /**
   * Makes room for one more pod, then has `work` move it in. Always in this order: Kruise deletes a pod that comes
   * beyond `replicas` (measured: 7 of 7). It watches CloneSets and pods apart, and after its start or beside other work one
   * of them is late: so the pod comes when Kruise has said that it has seen the room. Claims that come within a short time
   * share one raise. Rejects where Kruise does not say so within `OBSERVED_MS`.
   */
  async claim<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.#claims.set(name, this.#claiming(name) + 1);
    let [raised, mayHaveMoved] = [false, false];
    try {
      await this.#raises.join(name);
      raised = true;
      await this.#seen(name, this.#known(name).metadata.generation ?? 0);
      mayHaveMoved = true;
      return await work();
    } catch (error) {
      // Without a certain answer the pod may have moved: then the place is left to the correction, as it is where this fails.
      if (raised && (!mayHaveMoved || isCertain(error))) await this.#lower(name).catch(() => {});
      throw error;
    } finally {
      const left = this.#claiming(name) - 1;
      if (left > 0) this.#claims.set(name, left);
      else this.#claims.delete(name);
    }
  }

  #isSettled(name: string): boolean {
    const at = this.#written.get(name)?.at ?? performance.now();
    return this.#claiming(name) === 0 && performance.now() - at > SETTLED_MS;
  }

  #claiming(name: string): number {
    return this.#claims.get(name) ?? 0;
  }

  /** Makes room for this many more pods. */
  #raise(name: string, count: number): Promise<void> {
    return this.#exclusively(name, () => this.#unlessChanged(name, (set) => this.#raiseNow(set, count)));
  }

  /** Somebody else may write to the set, such as another pool manager: what is true then decides the next try. */
  async #unlessChanged(name: string, write: (set: CloneSet) => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await write(this.#known(name));
      } catch (error) {
        if ((error as KubeError).status !== 409 || attempt === RAISE_ATTEMPTS) throw error;
      }
    }
  }

  #raiseNow(set: CloneSet, count: number): Promise<void> {
    // Of others' claims we see neither how many nor whether their pods have come: what they added stays.
    const wanted = Math.max(set.spec.replicas, this.live(set).length) + count;
    // A pod may come that does not count for the release yet: beyond the partition Kruise would update it.
    const { partition } = set.spec.updateStrategy ?? {};
    const held: JsonPatch = typeof partition === "number" && partition > 0 ? [{ op: "add", path: "/spec/updateStrategy/partition", value: "100%" }] : [];
    return this.#setReplicas(set, wanted, held, "claim");
  }

  /** Gives back the place that one claim has not used. */
  #lower(name: string): Promise<void> {
    return this.#exclusively(name, async () => {
      const set = this.#known(name);
      const replicas = Math.max(set.spec.replicas - 1, this.live(set).length);
      if (replicas < set.spec.replicas) await this.#setReplicas(set, replicas, [], "heal");
    });
  }

  /**
   * Has Kruise create pods in this set: `count` decides, from those that are live, how many. No pod leaves it meanwhile:
   * Kruise would replace it as soon as another one has become ready (seen: seven pods in a pool of at most six).
   * Rejects where they do not come, with the reason that Kruise or the API server gives.
   */
  create(name: string, count: (live: Pod[]) => number): Promise<void> {
    return this.#exclusively(name, () => this.#membership(name).exclusive(() => this.#createAndTell(name, count)));
  }

  async #createAndTell(name: string, count: (live: Pod[]) => number): Promise<void> {
    try {
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
    const set = this.#known(name);
    const live = this.live(set);
    const before = new Set([...this.#pods.all()].map(({ metadata }) => metadata.uid));
    const wanted = count(live);
    if (wanted <= 0) return;
    const missing = Math.min(wanted, this.#strays.begin(set, before));
    const unseen = Math.min(this.#unseen.get(name) ?? 0, unseenPods(set, live));
    const goal = live.length + unseen + missing;
    // Only so many may be unavailable: a pod that is claimed meanwhile is not replaced.
    const unavailable = live.filter((pod) => !isReady(pod)).length;
    await this.#setReplicas(set, goal, [{ op: "replace", path: "/spec/scaleStrategy/maxUnavailable", value: unavailable + missing }], "pool");
    const toCome = () => missing - this.live(set).filter(({ metadata }) => !before.has(metadata.uid)).length;
    const refusal = () => this.#strays.reason(name) ?? failedScaleOf(this.#known(name));
    await this.#until(() => toCome() <= 0 || refusal() !== null);
    const short = toCome();
    const reason = short > 0 ? (refusal() ?? (await lastWarning(this.#kube, set)) ?? this.#unseenIn(name, goal)) : null;
    await this.#patch(name, [{ op: "replace", path: "/spec/scaleStrategy/maxUnavailable", value: 0 }], "pool");
    this.#strays.ended(name);
    if (reason) throw new KubeError(403, REFUSED, reason);
    this.#refused.delete(name);
    if (short > 0) throw new KubeError(0, "FailedScale", `Kruise has not created ${short} of ${missing} pods within ${CREATED_MS} ms`);
  }

  /** Kruise has as many pods as it was asked for, and some of them are not seen here: the next time they are counted in. */
  #unseenIn(name: string, goal: number): string | null {
    const set = this.#known(name);
    const unseen = unseenPods(set, this.live(set));
    if (unseen === 0 || (set.status?.replicas ?? 0) < goal) return null;
    this.#unseen.set(name, unseen);
    return `Kruise counts ${unseen} pods of CloneSet ${name} that the API server does not show`;
  }

  /** Moves a pod out of the CloneSet of this uid, while that creates none. */
  moveOut<T>(uid: string, work: () => Promise<T>): Promise<T> {
    const set = [...this.#sets.all()].find(({ metadata }) => metadata.uid === uid);
    return set ? this.#membership(set.metadata.name).shared(work) : work();
  }

  #membership(name: string): SharedLock {
    const lock = this.#memberships.get(name) ?? new SharedLock();
    this.#memberships.set(name, lock);
    return lock;
  }

  /** Deletes exactly this pod. */
  remove(name: string, pod: string): Promise<void> {
    return this.#exclusively(name, async () => {
      const set = this.#known(name);
      const live = this.live(set);
      const leaving = new Set([...(set.spec.scaleStrategy?.podsToDelete ?? []), pod]);
      const named = live.map(({ metadata }) => metadata.name).filter((candidate) => leaving.has(candidate));
      // An unknown name makes the API server refuse the whole list.
      if (!named.includes(pod)) throw new KubeError(404, "NotFound", `pod ${pod} does not belong to CloneSet ${name} any more`);
      const known = set.spec.scaleStrategy?.podsToDelete ?? [];
      const replicas = this.#isSettled(name)
        ? live.length - named.length + unseenPods(set, live)
        : set.spec.replicas - named.filter((candidate) => !known.includes(candidate)).length;
      await this.#setReplicas(set, replicas, [{ op: "add", path: "/spec/scaleStrategy/podsToDelete", value: named }], "remove");
    });
  }

  /** Writes what is to be corrected, once no claim can be under way. */
  heal(name: string): Promise<void> {
    return this.#exclusively(name, async () => {
      const set = this.#sets.get(name);
      if (!set || !this.#isSettled(name)) return;
      const patch = correctionOf(set, this.live(set));
      if (patch.length > 0) await this.#patch(name, patch, "heal");
    });
  }

  /** Writes what others have changed in its template; resolves with what the server makes of it. */
  mend(name: string, patch: JsonPatch): Promise<CloneSet> {
    return this.#exclusively(name, async () => {
      await this.#patch(name, patch, "heal");
      return this.#known(name);
    });
  }

  /** Deletes a set that nobody needs and that has no pods. */
  async delete(name: string): Promise<void> {
    await this.#exclusively(name, async () => {
      const found = this.#sets.get(name);
      if (!found || this.live(found).length > 0) return;
      // It is protected while it has replicas.
      if (found.spec.replicas > 0) await this.#setReplicas(found, 0, [], "heal");
      const { uid, resourceVersion } = this.#known(name).metadata;
      await this.#kube.delete(`${this.#path}/${name}`, { preconditions: { uid, resourceVersion }, propagationPolicy: "Background" }, "heal");
    });
  }

  async #create(name: string, manifest: object): Promise<CloneSet> {
    try {
      const set = await this.#kube.create<CloneSet>(this.#path, manifest, "function");
      this.#sets.learn(set);
      return set;
    } catch (error) {
      if ((error as KubeError).reason !== "AlreadyExists") throw error;
      const set = await this.#kube.get<CloneSet>(`${this.#path}/${name}`);
      this.#sets.found(set);
      return set;
    }
  }

  #setReplicas(set: CloneSet, replicas: number, more: JsonPatch, purpose: WritePurpose): Promise<void> {
    const patch: JsonPatch = [
      { op: "test", path: "/spec/replicas", value: set.spec.replicas },
      { op: "replace", path: "/spec/replicas", value: replicas },
      ...more,
    ];
    return this.#patch(set.metadata.name, patch, purpose);
  }

  async #patch(name: string, patch: JsonPatch, purpose: WritePurpose): Promise<void> {
    try {
      const termed: JsonPatch = [...patch, { op: "add", path: `/metadata/annotations/${TERM_POINTER}`, value: String(this.#term) }];
      this.#sets.learn(await this.#kube.patch<CloneSet>(`${this.#path}/${name}`, "json", termed, purpose));
    } catch (error) {
      const { status } = error as KubeError;
      // A failed test: somebody has changed it. What is true now decides the next try.
      if (status === 422) this.#sets.found(await this.#kube.get<CloneSet>(`${this.#path}/${name}`));
      throw status === 422 ? new KubeError(409, "Conflict", `CloneSet ${name} has changed: ${(error as Error).message}`) : error;
    }
  }

  #known(name: string): CloneSet {
    const set = this.#sets.get(name);
    if (!set) throw new KubeError(404, "NotFound", `there is no CloneSet ${name}`);
    return set;
  }

  #exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(name) ?? Promise.resolve();
    const result = before.then(work, work);
    const settled = result.catch(() => {});
    this.#queues.set(name, settled);
    void settled.then(() => this.#queues.get(name) === settled && this.#queues.delete(name));
    return result;
  }

  async #until(check: () => boolean): Promise<void> {
    for (const deadline = Date.now() + CREATED_MS; Date.now() < deadline && !check(); ) await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The server, or we ourselves, have refused the write: it has not happened. */
function isCertain(error: unknown): boolean {
  if (error instanceof PlatformError) return ["CONFLICT", "NOT_FOUND", "REFUSED"].includes(error.code);
  return error instanceof KubeError && error.status >= 400 && error.status < 500;
}
