import { changesOf, type JsonPatch, pointer } from "../../../kubernetes/json-patch.ts";
import { type CloneSet, LABEL } from "../objects/objects.ts";
import { functionOfSet } from "../objects/pod-owner.ts";
import { hasFormerTemplate, partitionChange } from "./update-strategy.ts";

/** A template that somebody changes again is put back after a pause that doubles. */
const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 600_000;

const TEMPLATE = "/spec/template";

interface Kept {
  /** A template that the cluster itself makes of ours, such as by a webhook: it stays. */
  accepted: string | null;
  pauseMs: number;
  /** Not before then. */
  nextAt: number;
}

export interface TemplateKeeperOptions {
  write(name: string, patch: JsonPatch): Promise<CloneSet>;
  /** Told of a template that was changed, and null when it is as it was made. */
  onTrouble(step: string, message: string | null): void;
  now(): number;
}

/**
 * Puts back what others change in the template of a CloneSet. Of a pool's Kruise makes new pods: the pool would fill with
 * pods that Berth does not know how to use. A function's is what its pods are to be, for all who read it. What others add
 * beside it stays.
 */
export class TemplateKeeper {
  readonly #options: TemplateKeeperOptions;
  readonly #kept = new Map<string, Kept>();

  constructor(options: TemplateKeeperOptions) {
    this.#options = options;
  }

  /** `made`: the CloneSet as Berth makes it. Rejects where it cannot be written. */
  async check(set: CloneSet, made: CloneSet): Promise<void> {
    const { name } = set.metadata;
    const own = ownChanges(set, made);
    const others = own.length > 0 ? [] : changesOf(made.spec.template, set.spec.template, TEMPLATE);
    const kept = this.#kept.get(name) ?? { accepted: null, pauseMs: FIRST_PAUSE_MS, nextAt: 0 };
    const now = this.#options.now();
    if (now < kept.nextAt || (own.length === 0 && (others.length === 0 || kept.accepted === JSON.stringify(set.spec.template)))) return;
    const step = `template of CloneSet ${name}`;
    if (others.length > 0) this.#options.onTrouble(step, `others have changed ${others.map(({ path }) => path.slice(1)).join(", ")}: it is put back`);
    this.#kept.set(name, { ...kept, pauseMs: Math.min(2 * kept.pauseMs, LONGEST_PAUSE_MS), nextAt: now + kept.pauseMs });
    const after = await this.#options.write(name, [...own, ...others]);
    const isChanged = changesOf(made.spec.template, after.spec.template, TEMPLATE).length > 0;
    if (isChanged) {
      this.#kept.set(name, { ...kept, accepted: JSON.stringify(after.spec.template) });
      this.#options.onTrouble(step, "the cluster changes it again as it is written: it stays so");
    }
    if (isChanged || others.length > 0) this.#options.onTrouble(step, null);
  }

  forget(name: string): void {
    this.#kept.delete(name);
  }
}

/**
 * What nobody else has changed. A function's CloneSet outlives the runtime that it was made for, and of a pool's whose
 * template was put back Kruise may still make pods of the edited one.
 */
function ownChanges(set: CloneSet, made: CloneSet): JsonPatch {
  const template = made.metadata.labels?.[LABEL.template];
  if (functionOfSet(set) === null) {
    const isAsMade = changesOf(made.spec.template, set.spec.template, TEMPLATE).length === 0;
    return isAsMade && hasFormerTemplate(set) ? partitionChange(set, 0) : [];
  }
  if (set.metadata.labels?.[LABEL.template] === template) return [];
  return [{ op: "add", path: `/metadata/labels/${pointer(LABEL.template)}`, value: template }, ...changesOf(made.spec.template, set.spec.template, TEMPLATE)];
}
