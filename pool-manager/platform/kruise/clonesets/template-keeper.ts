import { changesOf, type JsonPatch, pointer } from "../../../kubernetes/json-patch.ts";
import { type CloneSet, LABEL } from "../objects/objects.ts";
import { functionOfSet } from "../objects/pod-owner.ts";
import { hasFormerTemplate, partitionChange } from "./update-strategy.ts";

/** The pause before a template that was changed again is restored; it doubles each time. */
const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 600_000;

const TEMPLATE = "/spec/template";

interface Kept {
  /** The JSON of a template that the cluster itself, such as a webhook, makes of Berth's: it is left alone. */
  accepted: string | null;
  pauseMs: number;
  /** The earliest time of the next write. */
  nextAt: number;
}

export interface TemplateKeeperOptions {
  write(name: string, patch: JsonPatch): Promise<CloneSet>;
  /** Reports a template that others have changed, and null once that is settled. */
  onTrouble(step: string, message: string | null): void;
  now(): number;
}

/**
 * Restores what others change in the template of a CloneSet. Kruise creates new pods from a pool's template: the pool would
 * fill with pods that Berth cannot use. A function's template describes its pods to every reader. Others' additions stay.
 */
export class TemplateKeeper {
  readonly #options: TemplateKeeperOptions;
  readonly #kept = new Map<string, Kept>();

  constructor(options: TemplateKeeperOptions) {
    this.#options = options;
  }

  /** Compares a CloneSet with `made`, as Berth creates it, and writes corrections. Rejects if the write fails. */
  async check(set: CloneSet, made: CloneSet): Promise<void> {
    const { name } = set.metadata;
    const own = ownChanges(set, made);
    const others = own.length > 0 ? [] : templateChanges(set, made);
    const kept = this.#kept.get(name) ?? { accepted: null, pauseMs: FIRST_PAUSE_MS, nextAt: 0 };
    const now = this.#options.now();
    if (now < kept.nextAt || (own.length === 0 && (others.length === 0 || kept.accepted === JSON.stringify(set.spec.template)))) return;
    const step = `template of CloneSet ${name}`;
    if (others.length > 0) this.#options.onTrouble(step, `others have changed ${others.map(({ path }) => path.slice(1)).join(", ")}: it is put back`);
    this.#kept.set(name, { ...kept, pauseMs: Math.min(2 * kept.pauseMs, LONGEST_PAUSE_MS), nextAt: now + kept.pauseMs });
    const after = await this.#options.write(name, [...own, ...others]);
    const isChanged = templateChanges(after, made).length > 0;
    if (isChanged) {
      this.#kept.set(name, { ...kept, accepted: JSON.stringify(after.spec.template) });
      this.#options.onTrouble(step, "the cluster changes it again at each write: the change is accepted");
    }
    if (isChanged || others.length > 0) this.#options.onTrouble(step, null);
  }

  forget(name: string): void {
    this.#kept.delete(name);
  }
}

/**
 * Corrections whose cause is not an edit by others. A function's CloneSet outlives the runtime version that it was created
 * for. After a pool's template was restored, Kruise may still create pods from the edited one (`poolPartition`).
 */
function ownChanges(set: CloneSet, made: CloneSet): JsonPatch {
  const template = made.metadata.labels?.[LABEL.template];
  if (functionOfSet(set) === null) {
    const isAsMade = templateChanges(set, made).length === 0;
    return isAsMade && hasFormerTemplate(set) ? partitionChange(set, 0) : [];
  }
  if (set.metadata.labels?.[LABEL.template] === template) return [];
  return [{ op: "add", path: `/metadata/labels/${pointer(LABEL.template)}`, value: template }, ...templateChanges(set, made)];
}

/** Of a template's spec Kruise lets nobody change anything but images as long as the update strategy is InPlaceOnly. */
const IMAGE = new RegExp(`^${TEMPLATE}/spec/containers/\\d+/image$`);

/**
 * The changes that make a template what Berth creates. A function's CloneSet may be from another version of Berth, whose
 * template differs in what Kruise lets nobody change; it creates no pods, so that stays.
 */
function templateChanges(set: CloneSet, made: CloneSet): JsonPatch {
  const changes = changesOf(made.spec.template, set.spec.template, TEMPLATE);
  if (functionOfSet(set) === null) return changes;
  return changes.filter(({ path }) => path.startsWith(`${TEMPLATE}/metadata/`) || IMAGE.test(path));
}
