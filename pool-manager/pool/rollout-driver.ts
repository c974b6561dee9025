import type { Clock } from "../async/clock.ts";
import { coalesced } from "../async/coalesced.ts";
import type { FunctionRecord, RolloutPolicy } from "../functions/function.ts";
import type { FunctionRegistry } from "../functions/registry.ts";
import { advance, type Evidence, paceOf, type Rolling } from "../functions/rollout.ts";
import { type Attempts, doubled } from "./act/attempts.ts";
import type { PoolEventListener } from "./events.ts";
import type { Counts } from "./observe/invocation-outcomes.ts";

const CHECK_INTERVAL_MS = 100;
/** Backoff of a step that could not be stored: it doubles between these bounds. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 15_000;

export interface RolloutDriverOptions {
  functions: Pick<FunctionRegistry, "rolling" | "progress" | "poolOf">;
  /** Observes the rollout's new revision; null while the observation is incomplete. */
  check(record: FunctionRecord, to: string): (Pick<Evidence, "total" | "ready" | "failure"> & Counts) | null;
  clock: Clock;
  onEvent: PoolEventListener;
  attempts: Attempts;
}

/** When a rollout reached its current step, on this pool manager's own clock: a new leader observes the step from its start. */
interface StepClock {
  mark: string;
  since: number;
  step: string;
  /** The outcome counts when the step began. */
  base: Counts;
}

/** Advances rollouts step by step, and stops those that fail. */
export class RolloutDriver {
  readonly #options: RolloutDriverOptions;
  readonly #stepClocks = new Map<string, StepClock>();
  readonly #writing = new Set<string>();
  /** Records whose step could not be stored, and until when they are paused; a record that has changed since is not delayed. */
  readonly #paused = new Map<string, { record: FunctionRecord; until: number }>();
  /** Functions whose instances have changed since the last check. */
  readonly #changed = new Set<string>();
  readonly #checkSoon: () => void;
  #closed = false;
  #cancel: () => void = () => {};

  constructor(options: RolloutDriverOptions) {
    this.#options = options;
    this.#checkSoon = coalesced(options.clock, () => this.#checkChanged());
  }

  start(): void {
    this.#cancel = this.#options.clock.after(CHECK_INTERVAL_MS, () => {
      this.#check();
      this.start();
    });
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  /** An instance of the function has changed, which may be what its rollout waits for. */
  instanceChanged(functionUid: string): void {
    this.#changed.add(functionUid);
    this.#checkSoon();
  }

  #checkChanged(): void {
    if (this.#closed) return;
    const changed = new Set(this.#changed);
    this.#changed.clear();
    this.#advanceAll(this.#options.functions.rolling().filter(({ uid }) => changed.has(uid)));
  }

  #check(): void {
    const rolling = this.#options.functions.rolling();
    const uids = new Set(rolling.map(({ uid }) => uid));
    for (const of of [this.#stepClocks, this.#paused]) for (const uid of of.keys()) if (!uids.has(uid)) of.delete(uid);
    this.#advanceAll(rolling);
  }

  #advanceAll(rolling: readonly FunctionRecord[]): void {
    for (const record of rolling) {
      const pace = paceOf(record);
      if (!pace || this.#writing.has(record.uid) || this.#isPaused(record)) continue;
      this.#writing.add(record.uid);
      void this.#advance(record, record.rollout as Rolling, pace).finally(() => this.#writing.delete(record.uid));
    }
  }

  #isPaused(record: FunctionRecord): boolean {
    const paused = this.#paused.get(record.uid);
    return paused !== undefined && paused.record === record && this.#options.clock.now() < paused.until;
  }

  /** Never rejects. */
  async #advance(record: FunctionRecord, rollout: Rolling, policy: RolloutPolicy): Promise<void> {
    const { clock, attempts } = this.#options;
    const subject = this.#subjectOf(record);
    try {
      if (!(await this.#step(record, rollout, policy))) return;
      this.#paused.delete(record.uid);
    } catch (error) {
      attempts.failed(subject, error);
      const pauseMs = doubled(FIRST_PAUSE_MS, attempts.incidents.failures(subject), LONGEST_PAUSE_MS);
      this.#paused.set(record.uid, { record, until: clock.now() + pauseMs });
    }
  }

  /** Returns false if no step is due. */
  async #step(record: FunctionRecord, rollout: Rolling, policy: RolloutPolicy): Promise<boolean> {
    const { check, functions, clock, onEvent, attempts } = this.#options;
    const { uid } = record;
    const seen = check(record, rollout.to);
    if (!seen) return false;
    const { since, base } = this.#clockOf(record, rollout, seen);
    const evidence = { ...seen, ended: seen.ended - base.ended, failed: seen.failed - base.failed, heldMs: clock.now() - since };
    const change = advance(record, policy, evidence);
    if (!change) return false;
    await functions.progress(record, change);
    attempts.succeeded(this.#subjectOf(record));
    const { state, reason } = change.rollout as NonNullable<typeof change.rollout>;
    if (state === "stopped") onEvent({ type: "rollout.stopped", function: uid, revision: rollout.to, message: reason ?? "" });
    if (state === "complete") onEvent({ type: "rollout.complete", function: uid, revision: rollout.to });
    return true;
  }

  #subjectOf(record: FunctionRecord) {
    return { action: "rollout", pool: this.#options.functions.poolOf(record), functionUid: record.uid } as const;
  }

  #clockOf({ uid, traffic }: FunctionRecord, { to, step, watching, state }: Rolling, { ended, failed }: Counts): StepClock {
    const known = this.#stepClocks.get(uid);
    const ofStep = `${to}/${step}`;
    const mark = `${ofStep}/${watching}/${state}/${traffic.split[to]}`;
    if (known?.mark === mark) return known;
    const base = known?.step === ofStep ? known.base : { ended, failed };
    const stepClock = { mark, since: this.#options.clock.now(), step: ofStep, base };
    this.#stepClocks.set(uid, stepClock);
    return stepClock;
  }
}
