import { type JsonPatch, pointer } from "../../../kubernetes/json-patch.ts";
import { type CloneSet, LABEL, type Pod } from "../objects/objects.ts";
import { functionOfSet, poolOfSet } from "../objects/pod-owner.ts";
import { isObserved, unseenPods } from "./counts.ts";
import { noPods, partitionChange, poolPartition, strategyChanges } from "./update-strategy.ts";

/** A CloneSet to which nobody has written for this long has no claim under way, of whatever pool manager. */
const SETTLED_MS = 10_000;

/** When somebody, whoever it is, last wrote to each CloneSet: its generation tells. */
export class LastWrites {
  readonly #written = new Map<string, { generation: number; at: number }>();

  noticed({ metadata: { name, generation = 0 } }: CloneSet): void {
    if (this.#written.get(name)?.generation !== generation) this.#written.set(name, { generation, at: performance.now() });
  }

  gone(name: string): void {
    this.#written.delete(name);
  }

  isSettled(name: string): boolean {
    const at = this.#written.get(name)?.at ?? performance.now();
    return performance.now() - at > SETTLED_MS;
  }
}

/**
 * The patch that corrects a CloneSet that has not been written to for a while; empty: nothing is wrong. Kruise counts pods
 * by owner, and may count some that a listing or watch lacks here. They must be included in `replicas`: otherwise Kruise
 * would delete as many pods of its choice.
 *
 * | field                        | must be                                                                     |
 * |------------------------------|-----------------------------------------------------------------------------|
 * | scaleStrategy.maxUnavailable | 0: Kruise creates pods only while Berth requests some                       |
 * | replicas (of a function)     | the live pods that are not to be deleted, plus those that are not visible   |
 * | replicas (of a pool)         | at least that: claims leave it too high, which does no harm; exactly that   |
 * |                              | if a pod is to be deleted, which Kruise would otherwise delay               |
 * | labels                       | as created                                                                  |
 * | updateStrategy               | `UPDATE_STRATEGY`: Kruise updates no pod                                    |
 * | partition (of a function)    | the number of pods without the template's revision: in the end 0            |
 * | partition (of a pool)        | `poolPartition`                                                             |
 */
export function driftCorrection(set: CloneSet, live: readonly Pod[]): JsonPatch {
  const { replicas, scaleStrategy } = set.spec;
  const leaving = new Set(scaleStrategy?.podsToDelete ?? []);
  const leave = live.filter(({ metadata }) => leaving.has(metadata.name)).length;
  const stay = live.length - leave + unseenPods(set, live);
  const functionUid = functionOfSet(set);
  const ofFunction = functionUid !== null;
  const exactly = ofFunction || leave > 0;
  const patch: JsonPatch = [...labelsOf(set, { [LABEL.pool]: poolOfSet(set), ...(ofFunction && { [LABEL.function]: functionUid }) }), ...noPods(set)];
  if (replicas < stay || (exactly && replicas > stay)) {
    patch.push({ op: "test", path: "/spec/replicas", value: replicas }, { op: "replace", path: "/spec/replicas", value: stay });
  }
  patch.push(...strategyChanges(set), ...(ofFunction ? [] : partitionChange(set, poolPartition(set))));
  if (ofFunction && live.length > 0 && isObserved(set)) {
    const left = live.filter(({ metadata }) => metadata.labels?.["controller-revision-hash"] !== set.status?.updateRevision).length;
    const partition = left === live.length ? "100%" : left;
    patch.push(...partitionChange(set, partition));
  }
  return patch;
}

function labelsOf({ metadata: { labels } }: CloneSet, wanted: Record<string, string>): JsonPatch {
  const off = Object.entries(wanted).filter(([name, value]) => value !== "" && labels?.[name] !== value);
  return off.map(([name, value]) => ({ op: "add", path: `/metadata/labels/${pointer(name)}`, value }));
}
