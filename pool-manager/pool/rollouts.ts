import type { FunctionRecord, RolloutPolicy } from "../functions/function.ts";
import type { FunctionRegistry } from "../functions/registry.ts";
import { advance, type Evidence, type Rolling } from "../functions/rollout.ts";
import type { Clock } from "./clock.ts";
import type { PoolEventListener } from "./events.ts";
import type { Counts } from "./outcomes.ts";

const LOOK_MS = 100;
/** What could not be stored is tried again after this. Milliseconds. */
const AGAIN_MS = 1000;

export interface RolloutsOptions {
  functions: Pick<FunctionRegistry, "rolling" | "progress">;
  /** What is seen of a revision that takes over; null: not everything is known at present. */
  look(record: FunctionRecord, to: string): (Pick<Evidence, "total" | "ready" | "failure"> & Counts) | null;
  clock: Clock;
  onEvent: PoolEventListener;
}

/** Since when a rollout is where it is, on this pool manager's own clock: another leader watches a step anew. */
interface Held {
  mark: string;
  since: number;
  step: string;
  /** Counts when the step began. */
  base: Counts;
}

/** Has rollouts get on, a step after the other, and stops those that go wrong. */
export class Rollouts {
  readonly #options: RolloutsOptions;
  readonly #held = new Map<string, Held>();
  readonly #writing = new Set<string>();
  #cancel: () => void = () => {};

  constructor(options: RolloutsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#cancel = this.#options.clock.after(LOOK_MS, () => {
      this.#look();
      this.start();
    });
  }

  close(): void {
    this.#cancel();
  }

  #look(): void {
    const rolling = this.#options.functions.rolling();
    const uids = new Set(rolling.map(({ uid }) => uid));
    for (const uid of this.#held.keys()) if (!uids.has(uid)) this.#held.delete(uid);
    for (const record of rolling) {
      const { rollout, rolloutPolicy } = record;
      if (rolloutPolicy && !this.#writing.has(record.uid)) void this.#advance(record, rollout as Rolling, rolloutPolicy);
    }
  }

  async #advance(record: FunctionRecord, rollout: Rolling, policy: RolloutPolicy): Promise<void> {
    const { look, functions, clock, onEvent } = this.#options;
    const { uid } = record;
    const seen = look(record, rollout.to);
    if (!seen) return;
    const { since, base } = this.#hold(record, rollout, seen);
    const evidence = { ...seen, ended: seen.ended - base.ended, failed: seen.failed - base.failed, heldMs: clock.now() - since };
    const change = advance(record, policy, evidence);
    if (!change) return;
    this.#writing.add(uid);
    try {
      await functions.progress(record, change);
      const { state, reason } = change.rollout as NonNullable<typeof change.rollout>;
      if (state === "stopped") onEvent({ type: "rollout.stopped", function: uid, revision: rollout.to, message: reason ?? "" });
      if (state === "complete") onEvent({ type: "rollout.complete", function: uid, revision: rollout.to });
    } catch {
      await new Promise<void>((resolve) => clock.after(AGAIN_MS, resolve));
    } finally {
      this.#writing.delete(uid);
    }
  }

  #hold({ uid, traffic }: FunctionRecord, { to, step, watching, state }: Rolling, { ended, failed }: Counts): Held {
    const known = this.#held.get(uid);
    const ofStep = `${to}/${step}`;
    const mark = `${ofStep}/${watching}/${state}/${traffic.split[to]}`;
    if (known?.mark === mark) return known;
    const base = known?.step === ofStep ? known.base : { ended, failed };
    const held = { mark, since: this.#options.clock.now(), step: ofStep, base };
    this.#held.set(uid, held);
    return held;
  }
}
