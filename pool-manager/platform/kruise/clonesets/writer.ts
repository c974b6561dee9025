import { SequencerByKey } from "../../../async/sequencer.ts";
import { until } from "../../../async/wait.ts";
import type { KubeClient, WritePurpose } from "../../../kubernetes/client.ts";
import { KubeError } from "../../../kubernetes/error.ts";
import type { Informer } from "../../../kubernetes/informer/informer.ts";
import type { JsonPatch } from "../../../kubernetes/json-patch.ts";
import { CLONESETS, type CloneSet } from "../objects/objects.ts";
import { setPatch } from "./patches.ts";

/** How long Kruise may take to observe a change of a CloneSet. */
const OBSERVED_MS = 5000;

/** How many times a write is attempted if others write to the CloneSet meanwhile. */
const ATTEMPTS = 5;

/** Serializes the writes to each CloneSet, and rereads it after a conflict. */
export class CloneSetWriter {
  readonly #kube: KubeClient;
  readonly #sets: Informer<CloneSet>;
  readonly #term: number;
  readonly #sequencer = new SequencerByKey();
  /** API path of the CloneSets. */
  readonly path: string;

  constructor(kube: KubeClient, sets: Informer<CloneSet>, term: number) {
    this.#kube = kube;
    this.#sets = sets;
    this.#term = term;
    this.path = `${CLONESETS}/namespaces/${kube.namespace}/clonesets`;
  }

  /** The CloneSet as last seen. Throws `NotFound`. */
  known(name: string): CloneSet {
    const set = this.#sets.get(name);
    if (!set) throw new KubeError(404, "NotFound", `there is no CloneSet ${name}`);
    return set;
  }

  exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#sequencer.run(name, work);
  }

  /** Retries `write` with the present state of the CloneSet if another writer, such as another pool manager, has changed it. */
  async unlessChanged(name: string, write: (set: CloneSet) => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await write(this.known(name));
      } catch (error) {
        if ((error as KubeError).status !== 409 || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Waits until Kruise has observed this generation (0: the latest) and knows the template's revision. */
  async observed(name: string, generation: number): Promise<CloneSet> {
    const observed = () => {
      const set = this.#sets.get(name);
      const wanted = generation || (set?.metadata.generation ?? 0);
      return set?.status?.updateRevision && (set.status.observedGeneration ?? 0) >= wanted ? set : null;
    };
    const found = await until(observed, { boundMs: OBSERVED_MS, everyMs: 5 });
    if (found) return found;
    throw new KubeError(0, "Timeout", `Kruise has not observed CloneSet ${name} within ${OBSERVED_MS} ms`);
  }

  setReplicas(set: CloneSet, replicas: number, more: JsonPatch, purpose: WritePurpose): Promise<void> {
    const patch: JsonPatch = [
      { op: "test", path: "/spec/replicas", value: set.spec.replicas },
      { op: "replace", path: "/spec/replicas", value: replicas },
      ...more,
    ];
    return this.patch(set.metadata.name, patch, purpose);
  }

  async patch(name: string, change: JsonPatch, purpose: WritePurpose): Promise<void> {
    const before = this.known(name);
    try {
      this.#sets.learn(await this.#kube.patch<CloneSet>(`${this.path}/${name}`, "json", setPatch(before, change, this.#term), purpose));
    } catch (error) {
      if ((error as KubeError).status !== 422) throw error;
      const now = await this.#kube.get<CloneSet>(`${this.path}/${name}`);
      this.#sets.found(now);
      // The CloneSet has not changed: the patch itself was refused. A removal is a conflict all the same, because its pod may be gone.
      if (now.metadata.resourceVersion === before.metadata.resourceVersion && purpose !== "remove") throw error;
      // A `test` step failed: the CloneSet was changed. The next attempt uses its present state.
      throw new KubeError(409, "Conflict", `CloneSet ${name} has changed: ${(error as Error).message}`);
    }
  }
}
