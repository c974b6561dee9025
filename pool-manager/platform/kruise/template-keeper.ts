import { changesOf, type JsonPatch } from "./json-patch.ts";
import type { CloneSet } from "./objects.ts";

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
 * Puts back what others change in the template of a pool's CloneSet, from which Kruise makes new pods: the pool would fill
 * with pods that Berth does not know how to use. What others add beside it stays.
 */
export class TemplateKeeper {
  readonly #options: TemplateKeeperOptions;
  readonly #kept = new Map<string, Kept>();

  constructor(options: TemplateKeeperOptions) {
    this.#options = options;
  }

  /** `made`: the CloneSet as Berth makes it. Rejects where it cannot be written. */
  async look(set: CloneSet, made: CloneSet): Promise<void> {
    const { name } = set.metadata;
    const patch = changesOf(made.spec.template, set.spec.template, TEMPLATE);
    const kept = this.#kept.get(name) ?? { accepted: null, pauseMs: FIRST_PAUSE_MS, nextAt: 0 };
    const now = this.#options.now();
    if (patch.length === 0 || kept.accepted === JSON.stringify(set.spec.template) || now < kept.nextAt) return;
    const step = `template of CloneSet ${name}`;
    this.#options.onTrouble(step, `others have changed ${patch.map(({ path }) => path.slice(1)).join(", ")}: it is put back`);
    this.#kept.set(name, { ...kept, pauseMs: Math.min(2 * kept.pauseMs, LONGEST_PAUSE_MS), nextAt: now + kept.pauseMs });
    const after = await this.#options.write(name, patch);
    if (changesOf(made.spec.template, after.spec.template, TEMPLATE).length > 0) {
      this.#kept.set(name, { ...kept, accepted: JSON.stringify(after.spec.template) });
      this.#options.onTrouble(step, "the cluster changes it again as it is written: it stays so");
    }
    this.#options.onTrouble(step, null);
  }

  forget(name: string): void {
    this.#kept.delete(name);
  }
}
