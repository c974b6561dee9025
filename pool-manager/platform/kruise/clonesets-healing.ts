import { runtimeOfClass } from "../../functions/manifest/size-classes.ts";
import type { Collector } from "../../functions/retention.ts";
import { tagOf } from "../../images/runtime-image.ts";
import type { Informer } from "../../kubernetes/informer/informer.ts";
import type { CloneSets } from "./clonesets/clonesets.ts";
import { endingOf } from "./clonesets/ending.ts";
import { functionSet, functionSetName, type PodSettings, poolSet, poolSetName } from "./clonesets/manifests.ts";
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
      if (isFormer || (isPools && this.#isRetired(pool))) await this.#options.writer.delete(metadata.name).catch(untilNextRound);
      else if (uid) await this.#collect(metadata.name, uid);
    }
  }

  /** CloneSets of a runtime that is not offered here are left to another pool manager. */
  #isOffered(pool: string): boolean {
    return Object.hasOwn(this.#options.pods.pools, pool);
  }

  /** Whether it is the pool of a size class that is not declared any more. */
  #isRetired(pool: string): boolean {
    return !this.#isOffered(pool) && runtimeOfClass(pool, Object.keys(this.#options.pods.pools)) !== null;
  }

  /** A CloneSet as it is made now, whatever its code image is; null: nobody needs it. */
  #made(set: CloneSet): CloneSet | null {
    const { pods, registry, codes } = this.#options;
    const uid = functionOfSet(set);
    if (!this.#isOffered(poolOfSet(set))) return null;
    if (uid === null) return poolSet(poolOfSet(set), pods) as CloneSet;
    const released = codes.get(uid)?.find(({ pool }) => functionSetName(uid, pool) === set.metadata.name);
    if (!released) return null;
    const { image } = set.spec.template.spec.containers.find(({ name }) => name === CODE_CONTAINER) ?? {};
    return functionSet(uid, released.pool, pods, image ?? registry.reference(released.image, tagOf(released.image))) as CloneSet;
  }

  /** The CloneSet of a function that is not there any more, or takes its instances from other pools, goes when it has no pods and may go. */
  async #collect(name: string, uid: string): Promise<void> {
    const set = this.#options.sets.get(name);
    if (!this.#retained || !set || this.#options.writer.live(set).length > 0) return;
    const served = this.#options.codes.get(uid);
    if (served && !served.some(({ pool }) => functionSetName(uid, pool) === name)) await this.#options.writer.deleteSettled(name).catch(untilNextRound);
    if (served || this.#retained.functions.has(uid)) return;
    const { collector } = this.#retained;
    const reason = collector.mayGo("function", uid);
    if (reason === null) return;
    await this.#options.writer.delete(name).then(
      () => collector.gone("function", uid, reason),
      () => {},
    );
  }
}
