import { Batcher } from "../../../async/batcher.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
import { KubeError } from "../../../kubernetes/error.ts";
import type { Informer } from "../../../kubernetes/informer/informer.ts";
import type { JsonPatch } from "../../../kubernetes/json-patch.ts";
import type { CloneSet, Pod } from "../objects/objects.ts";
import { isCertainlyRefused } from "../objects/platform-errors.ts";
import { poolOfSet } from "../objects/pod-owner.ts";
import { countedPods, failedScaleOf, livePods, unseenPods } from "./counts.ts";
import { driftCorrection, LastWrites } from "./drift.ts";
import { endingOf, notEnding } from "./ending.ts";
import { SetGrowth } from "./growth.ts";
import { noPods, PAUSE } from "./update-strategy.ts";
import { CloneSetWriter } from "./writer.ts";

export interface CloneSetsOptions {
  kube: KubeClient;
  sets: Informer<CloneSet>;
  pods: Informer<Pod>;
  /** Leadership term, written with each change. */
  term: number;
  /** Two raises of one CloneSet are this far apart: claims that come meanwhile share the second. Milliseconds. */
  raiseEveryMs: number;
}

/**
 * The requests that Berth makes of CloneSets. With fewer replicas than pods Kruise deletes pods of its choice,
 * with more it holds deletions back. So `replicas` is changed only from the value that we know, claims add to it what
 * they need, and it is set to the number of live pods only where no claim of another pool manager can be under way.
 */
export class CloneSets {
  readonly #kube: KubeClient;
  readonly #sets: Informer<CloneSet>;
  readonly #pods: Informer<Pod>;
  readonly #writer: CloneSetWriter;
  readonly #growth: SetGrowth;
  readonly #lastWrites = new LastWrites();
  readonly #raises: Batcher;
  /** Claims of each set that are under way: their pods are not live in it yet. */
  readonly #claims = new Map<string, number>();
  readonly #creating = new Map<string, Promise<CloneSet>>();

  constructor({ kube, sets, pods, term, raiseEveryMs }: CloneSetsOptions) {
    this.#raises = new Batcher(raiseEveryMs, (name, count) => this.#raise(name, count));
    this.#kube = kube;
    this.#sets = sets;
    this.#pods = pods;
    this.#writer = new CloneSetWriter(kube, sets, term);
    this.#growth = new SetGrowth(kube, pods, this.#writer);
  }

  noticed(set: CloneSet): void {
    this.#growth.noticed(set);
    this.#lastWrites.noticed(set);
  }

  gone({ metadata }: CloneSet): void {
    this.#growth.gone(metadata.name);
    this.#lastWrites.gone(metadata.name);
  }

  podChanged(pod: Pod): void {
    this.#growth.podChanged(pod);
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
      const reason = failedScaleOf(set) ?? this.#growth.refusalOf(set.metadata.name);
      if (reason) refusals.set(poolOfSet(set), reason);
    }
    return refusals;
  }

  /** The CloneSet of this name, created where it is missing. Rejects where somebody has deleted it and it is not gone yet. */
  async ensure(name: string, manifest: () => object): Promise<CloneSet> {
    const known = this.#sets.get(name);
    if (known) return notEnding(known);
    const creating = this.#creating.get(name) ?? this.#create(name, manifest()).finally(() => this.#creating.delete(name));
    this.#creating.set(name, creating);
    return notEnding(await creating);
  }

  /** Has Kruise create pods in the CloneSet of this name, which is made where it is missing; see `SetGrowth`. */
  create(name: string, manifest: () => object, count: (live: Pod[]) => number): Promise<void> {
    return this.#growth.create(name, () => this.ensure(name, manifest), count);
  }

  /** Waits until the controller has taken in the latest change, so that `status.updateRevision` is that of the template. */
  observed(name: string): Promise<CloneSet> {
    return this.#writer.observed(name, 0);
  }

  /** Another template image; pods keep theirs until they are patched. */
  setImage(name: string, container: string, image: string): Promise<void> {
    return this.#writer.exclusively(name, async () => {
      const set = this.#writer.known(name);
      const index = set.spec.template.spec.containers.findIndex((candidate) => candidate.name === container);
      const { image: before } = set.spec.template.spec.containers[index] ?? {};
      if (before === image) return;
      await this.#writer.patch(
        name,
        [
          { op: "test", path: `/spec/template/spec/containers/${index}/name`, value: container },
          ...PAUSE,
          { op: "add", path: "/spec/updateStrategy/partition", value: "100%" },
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
   * share one raise. Rejects where Kruise does not say so in time.
   */
  async claim<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.#claims.set(name, this.#claiming(name) + 1);
    let [raised, mayHaveMoved] = [false, false];
    try {
      await this.#raises.join(name);
      raised = true;
      await this.#writer.observed(name, this.#writer.known(name).metadata.generation ?? 0);
      mayHaveMoved = true;
      return await work();
    } catch (error) {
      // Without a certain answer the pod may have moved: then the place is left to the correction, as it is where this fails.
      if (raised && (!mayHaveMoved || isCertainlyRefused(error))) await this.#lower(name).catch(() => {});
      throw error;
    } finally {
      const left = this.#claiming(name) - 1;
      if (left > 0) this.#claims.set(name, left);
      else this.#claims.delete(name);
    }
  }

  #isSettled(name: string): boolean {
    return this.#claiming(name) === 0 && this.#lastWrites.isSettled(name);
  }

  #claiming(name: string): number {
    return this.#claims.get(name) ?? 0;
  }

  /** Makes room for this many more pods. */
  #raise(name: string, count: number): Promise<void> {
    return this.#writer.exclusively(name, () => this.#writer.unlessChanged(name, (set) => this.#raiseNow(set, count)));
  }

  #raiseNow(set: CloneSet, count: number): Promise<void> {
    // Of others' claims we see neither how many nor whether their pods have come: what they added stays.
    const wanted = Math.max(set.spec.replicas, this.live(set).length) + count;
    // A pod may come that does not count for the release yet: the partition is the pods that are still to follow.
    const { partition } = set.spec.updateStrategy ?? {};
    const held: JsonPatch = typeof partition === "number" && partition > 0 ? [{ op: "add", path: "/spec/updateStrategy/partition", value: "100%" }] : [];
    return this.#writer.setReplicas(set, wanted, [...held, ...noPods(set)], "claim");
  }

  /** Gives back the place that one claim has not used. */
  #lower(name: string): Promise<void> {
    return this.#writer.exclusively(name, async () => {
      const set = this.#writer.known(name);
      const replicas = Math.max(set.spec.replicas - 1, this.live(set).length);
      if (replicas < set.spec.replicas) await this.#writer.setReplicas(set, replicas, [], "heal");
    });
  }

  /** Moves a pod out of the CloneSet of this uid, while that creates none. */
  moveOut<T>(uid: string, work: () => Promise<T>): Promise<T> {
    const set = [...this.#sets.all()].find(({ metadata }) => metadata.uid === uid);
    return set ? this.#growth.moveOut(set.metadata.name, work) : work();
  }

  /** Deletes exactly this pod. */
  remove(name: string, pod: string): Promise<void> {
    return this.#writer.exclusively(name, async () => {
      const set = this.#writer.known(name);
      const live = this.live(set);
      const leaving = new Set([...(set.spec.scaleStrategy?.podsToDelete ?? []), pod]);
      const named = live.map(({ metadata }) => metadata.name).filter((candidate) => leaving.has(candidate));
      // An unknown name makes the API server refuse the whole list.
      if (!named.includes(pod)) throw new KubeError(404, "NotFound", `pod ${pod} does not belong to CloneSet ${name} any more`);
      const known = set.spec.scaleStrategy?.podsToDelete ?? [];
      const replicas = this.#isSettled(name)
        ? live.length - named.length + unseenPods(set, live)
        : set.spec.replicas - named.filter((candidate) => !known.includes(candidate)).length;
      await this.#writer.setReplicas(set, replicas, [{ op: "add", path: "/spec/scaleStrategy/podsToDelete", value: named }], "remove");
    });
  }

  /** Writes what is to be corrected, once no claim can be under way. */
  heal(name: string): Promise<void> {
    return this.#writer.exclusively(name, async () => {
      const set = this.#sets.get(name);
      if (!set || endingOf(set) || !this.#isSettled(name)) return;
      const patch = driftCorrection(set, this.live(set));
      if (patch.length > 0) await this.#writer.patch(name, patch, "heal");
    });
  }

  /** Writes what others have changed in it; resolves with what the server makes of it. */
  mend(name: string, patch: JsonPatch): Promise<CloneSet> {
    return this.#writer.exclusively(name, async () => {
      await this.#writer.patch(name, [...PAUSE, ...patch], "heal");
      return this.#writer.known(name);
    });
  }

  /** Deletes a set that nobody needs and that has no pods. */
  async delete(name: string): Promise<void> {
    await this.#writer.exclusively(name, async () => {
      const found = this.#sets.get(name);
      if (!found || endingOf(found) || this.live(found).length > 0) return;
      // It is protected while it has replicas.
      if (found.spec.replicas > 0) await this.#writer.setReplicas(found, 0, [], "heal");
      const { uid, resourceVersion } = this.#writer.known(name).metadata;
      await this.#kube.delete(`${this.#writer.path}/${name}`, { preconditions: { uid, resourceVersion }, propagationPolicy: "Background" }, "heal");
    });
  }

  /** The same of a set that a claim may still be moving a pod to; it goes once none can be under way. */
  async deleteSettled(name: string): Promise<void> {
    if (this.#isSettled(name)) await this.delete(name);
  }

  async #create(name: string, manifest: object): Promise<CloneSet> {
    try {
      const set = await this.#kube.create<CloneSet>(this.#writer.path, manifest, "function");
      this.#sets.learn(set);
      return set;
    } catch (error) {
      if ((error as KubeError).reason !== "AlreadyExists") throw error;
      const set = await this.#kube.get<CloneSet>(`${this.#writer.path}/${name}`);
      this.#sets.found(set);
      return set;
    }
  }
}
