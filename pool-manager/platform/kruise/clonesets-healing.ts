import type { Collector } from "../../functions/retention.ts";
import { tagOf } from "../../images/runtime-image.ts";
import type { Informer } from "../../kubernetes/informer/informer.ts";
import type { CloneSets } from "./clonesets/clonesets.ts";
import { endingOf } from "./clonesets/ending.ts";
import { functionSet, type PodSettings, poolSet, poolSetName } from "./clonesets/manifests.ts";
import type { TemplateKeeper } from "./clonesets/template-keeper.ts";
import type { CodeRegistry } from "./code/code-registry.ts";
import type { FunctionCodes } from "./function-codes.ts";
import { type CloneSet, CODE_CONTAINER } from "./objects/objects.ts";
import { functionOfSet, poolOfSet } from "./objects/pod-owner.ts";

/** Uids of the functions that there are, and who decides about CloneSets of others. */
export interface Retained {
  functions: ReadonlySet<string>;
  collector: Collector;
}

export interface CloneSetHealingOptions {
  pods: PodSettings;
  registry: CodeRegistry;
  sets: Informer<CloneSet>;
  writer: CloneSets;
  templates: TemplateKeeper;
  codes: FunctionCodes;
}

/** A round ignores a write that fails: `WriteFailures` has reported it, and the next round repeats it. */
const untilNextRound = () => {};

/** Brings CloneSets back to what they have to be, one round after the other, and collects those that nobody needs. */
export class CloneSetHealing {
  readonly #options: CloneSetHealingOptions;
  /** Null: not told yet. */
  #retained: Retained | null = null;

  constructor(options: CloneSetHealingOptions) {
    this.#options = options;
  }

  /** From now on these functions are those that there are. */
  retain(retained: Retained): void {
    this.#retained = retained;
  }

  /**
   * Corrects CloneSets that are off (by dead pods, failed claims, or somebody's edit), and removes those of deleted
   * functions and former runtimes. The next round retries a write that fails; `WriteFailures` reports it.
   */
  async heal(): Promise<void> {
    for (const set of this.#options.sets.all()) {
      const { metadata } = set;
      const uid = functionOfSet(set);
      const pool = poolOfSet(set);
      const isPools = !uid && pool !== "";
      const isFormer = isPools && this.#isOffered(pool) && metadata.name !== poolSetName(pool, this.#options.pods);
      await this.#options.writer.heal(metadata.name).catch(untilNextRound);
      const made = (isPools || uid) && !isFormer && !endingOf(set) ? this.#made(set) : null;
      if (made) await this.#options.templates.check(set, made).catch(untilNextRound);
      if (isFormer) await this.#options.writer.delete(metadata.name).catch(untilNextRound);
      else if (uid) await this.#collect(metadata.name, uid);
    }
  }

  /** CloneSets of a runtime that is not offered here are left to another pool manager. */
  #isOffered(pool: string): boolean {
    return Object.hasOwn(this.#options.pods.runtimes, pool);
  }

  /** A CloneSet as it is made now, whatever its code image is; null: nobody needs it. */
  #made(set: CloneSet): CloneSet | null {
    const { pods, registry, codes } = this.#options;
    const uid = functionOfSet(set);
    if (!this.#isOffered(poolOfSet(set))) return null;
    if (uid === null) return poolSet(poolOfSet(set), pods) as CloneSet;
    const [released] = codes.get(uid) ?? [];
    if (!released) return null;
    const { image } = set.spec.template.spec.containers.find(({ name }) => name === CODE_CONTAINER) ?? {};
    return functionSet(uid, released.pool, pods, image ?? registry.reference(released.image, tagOf(released.image))) as CloneSet;
  }

  /** The CloneSet of a function that is not there any more goes when it has no pods and may go. */
  async #collect(name: string, uid: string): Promise<void> {
    const set = this.#options.sets.get(name);
    if (!this.#retained || !set || this.#options.codes.get(uid) || this.#retained.functions.has(uid)) return;
    if (this.#options.writer.live(set).length > 0) return;
    const { collector } = this.#retained;
    const reason = collector.mayGo("function", uid);
    if (reason === null) return;
    await this.#options.writer.delete(name).then(
      () => collector.gone("function", uid, reason),
      () => {},
    );
  }
}
