import { isDeepStrictEqual } from "node:util";
import type { Decision, Pace, PoolSpec, World } from "./decide/world.ts";
import type { PoolEvent, PoolEventListener } from "./events.ts";
import type { PoolHistory } from "./history/pool-history.ts";
import { ClaimRecorder } from "./history/recorder.ts";
import { windowOf } from "./history/windows.ts";
import { chooseSize, type SizeState, type SizingDecision, type SizingInputs } from "./sizing/choose-size.ts";
import type { RefillPace } from "./sizing/refill-line.ts";

/** How often a pool that sizes itself decides. */
const DECIDE_EVERY_MS = 10_000;
/** A decision after a longer pause grows as after this one. */
const LONGEST_PAUSE_MS = 60_000;
/** Changes of a pool's size are reported at most this often, the latest of them with the size of the last report. */
const REPORT_EVERY_MS = 60_000;
const HOUR_MS = 3_600_000;
const RECENT_MS = 300_000;
/** Assumed time of a refill before the first was measured. */
const FIRST_REFILL_MS = 1000;
/** Decisions that are kept of each pool: the last ones that changed its size, and the last one. */
const KEPT = 50;

export interface PoolSizerOptions {
  pools: { list(): PoolSpec[]; choose(name: string, chosen: { size: number; refills: number }): void };
  pace: Pace;
  /** Milliseconds since 1970: what is recorded keeps its meaning after a restart. */
  wall(): number;
  onEvent: PoolEventListener;
}

/** A decision with everything that it depended on. */
export interface KeptDecision {
  inputs: SizingInputs;
  decision: SizingDecision;
}

interface Sized {
  decidedAt: number;
  kept: KeptDecision[];
  last: KeptDecision;
}

/** Records the claims of all pools, and chooses the sizes of those that size themselves. Decides nothing itself: `chooseSize` does. */
export class PoolSizer {
  readonly #options: PoolSizerOptions;
  readonly recorder = new ClaimRecorder();
  readonly #sized = new Map<string, Sized>();
  /** The sizes in force at the last decision: a pool that begins to size itself continues from its own. */
  readonly #sizes = new Map<string, number>();
  readonly #reported = new Map<string, { at: number; size: number }>();
  /** The schedule in force at the last look, in words, and the size. */
  readonly #scheduled = new Map<string, { text: string | null; size: number }>();

  constructor(options: PoolSizerOptions) {
    this.#options = options;
  }

  /** Called after each decision, with what it saw. */
  observe(world: World, decision: Decision): void {
    const now = this.#options.wall();
    this.recorder.observe(world, decision, now, (pool) => this.refillOf(pool));
    if (world.synced) this.sizeAll();
  }

  /** Learns from events of the pools. */
  heard(event: PoolEvent): void {
    if (event.type === "instance.prewarmed") this.recorder.refilled(event.pool, event.ms, this.#options.wall());
  }

  /** Takes over what was recorded before this process started. */
  restore(pool: string, history: PoolHistory): void {
    this.recorder.pools.set(pool, history);
  }

  /** Chooses the sizes that are due. */
  sizeAll(): void {
    const now = this.#options.wall();
    for (const pool of this.#options.pools.list()) {
      if (pool.auto) this.#size(pool, pool.auto, now);
      else this.#forget(pool);
      this.#tellSchedule(pool);
    }
  }

  /** The last decision on a pool that sizes itself; null: its size is fixed. */
  lastOf(pool: string): KeptDecision | null {
    return this.#sized.get(pool)?.last ?? null;
  }

  /** The last decisions that changed a pool's size, and the last one, oldest first. */
  decisionsOf(pool: string): KeptDecision[] {
    const sized = this.#sized.get(pool);
    if (!sized) return [];
    return sized.kept.at(-1) === sized.last ? sized.kept : [...sized.kept, sized.last];
  }

  /** How long a refill takes from the claim on, and how many run concurrently. */
  refillOf(pool: string): RefillPace {
    const { pace } = this.#options;
    const measured = this.recorder.pools.get(pool)?.refillMs ?? FIRST_REFILL_MS;
    return { refillMs: measured + pace.refillDelayMs, refills: this.#sized.get(pool)?.last.decision.refills ?? pace.refill };
  }

  #size(pool: PoolSpec, auto: NonNullable<PoolSpec["auto"]>, now: number): void {
    const { name } = pool;
    const known = this.#sized.get(name);
    const bounds = known?.last.inputs;
    const isChanged = bounds && (bounds.min !== auto.min || bounds.max !== pool.max || bounds.targetHit !== auto.targetHit || isBoundOtherwise(pool, bounds));
    if (known && !isChanged && now >= known.decidedAt && now - known.decidedAt < DECIDE_EVERY_MS) return;
    const elapsedMs = Math.min(LONGEST_PAUSE_MS, Math.max(0, now - (known?.decidedAt ?? now)));
    const inputs = this.#inputs(pool, auto, { at: now, elapsedMs });
    const last = { inputs, decision: chooseSize(inputs) };
    const { size, belowSince, changedAt, refills, reason } = last.decision;
    this.recorder.of(name, now).chosen = { size, belowSince, changedAt };
    const kept = known?.kept ?? [];
    if (size !== inputs.state.size || kept.length === 0) kept.push(last);
    this.#sized.set(name, { decidedAt: now, last, kept: kept.slice(-KEPT) });
    this.#sizes.set(name, size);
    this.#options.pools.choose(name, { size, refills });
    this.#report(name, inputs.state.size, size, reason, now);
  }

  #inputs(pool: PoolSpec, { min, targetHit }: NonNullable<PoolSpec["auto"]>, times: Pick<SizingInputs, "at" | "elapsedMs">): SizingInputs {
    const { pace } = this.#options;
    const history = this.recorder.of(pool.name, times.at);
    return {
      ...times,
      min,
      max: pool.max,
      scheduled: pool.scheduled ? { instances: pool.scheduled.instances, text: pool.scheduled.text } : null,
      memory: pool.memory ?? null,
      targetHit,
      state: history.chosen ?? this.#firstState(pool, min, history),
      refillMs: this.refillOf(pool.name).refillMs,
      refills: { least: pace.refill, most: Math.max(pace.refill, pace.urgent) },
      recent: claimsOf(history, times.at, RECENT_MS),
      hour: claimsOf(history, times.at, HOUR_MS),
    };
  }

  /** Without any record, a pool begins at its least size; with one, it continues from the fixed size that it had. */
  #firstState({ name }: PoolSpec, min: number, history: PoolHistory): SizeState {
    const size = history.hasClaims ? (this.#sizes.get(name) ?? min) : min;
    return { size, belowSince: null, changedAt: null };
  }

  #forget({ name, size, ownSize = size }: PoolSpec): void {
    this.#sizes.set(name, ownSize);
    this.#sized.delete(name);
    this.#reported.delete(name);
    const history = this.recorder.pools.get(name);
    if (history) history.chosen = null;
  }

  /** Reports that a schedule begins or ends to size a pool of a fixed size; changes of the others are decisions. */
  #tellSchedule({ name, auto, size, scheduled }: PoolSpec): void {
    const before = this.#scheduled.get(name);
    const text = scheduled?.text ?? null;
    this.#scheduled.set(name, { text, size });
    if (auto || !before || before.size === size || before.text === text) return;
    const message = scheduled ? `${scheduled.instances} by ${scheduled.text}` : `${before.text} is over`;
    this.#options.onEvent({ type: "pool.resized", pool: name, from: before.size, to: size, message });
  }

  #report(pool: string, before: number, size: number, reason: string, now: number): void {
    const last = this.#reported.get(pool) ?? { at: Number.NEGATIVE_INFINITY, size: before };
    if (size === last.size || (now >= last.at && now - last.at < REPORT_EVERY_MS)) {
      this.#reported.set(pool, last);
      return;
    }
    this.#reported.set(pool, { at: now, size });
    this.#options.onEvent({ type: "pool.resized", pool, from: last.size, to: size, message: reason });
  }
}

/** Whether another schedule is in force than at a decision, or another limit of memory, or none any more. */
function isBoundOtherwise({ scheduled, memory }: PoolSpec, before: SizingInputs): boolean {
  return scheduled?.instances !== before.scheduled?.instances || !isDeepStrictEqual(memory ?? null, before.memory);
}

function claimsOf(history: PoolHistory, now: number, windowMs: number): SizingInputs["hour"] {
  const { seconds, claims, dispersion, depths } = windowOf(history.hour, now, windowMs, history.since);
  return { seconds, claims, dispersion, depths };
}
