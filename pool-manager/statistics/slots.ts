import type { FunctionUsage } from "../client/contract.ts";
import { PHASES, type Phase, percentile } from "../client/latency-buckets.ts";

export const SLOT_MS = 5000;
/** Five minutes. */
export const SLOTS = 60;
/** A rate is that of the current slot and so many before it. */
const RATE_SLOTS = 2;

/** A function's invocations that were reported within `SLOT_MS`. */
export interface Slot {
  /** Number of the slot: time divided by `SLOT_MS`. */
  at: number;
  invocations: number;
  failed: number;
  /** warm, prewarmed, cold */
  starts: [number, number, number];
  /** Counts by bucket, for each of `PHASES`. */
  phases: Map<number, number>[];
}

export interface Percentiles {
  p50: number;
  p99: number;
}

/** The sums of the last five minutes. */
export interface StatisticsView {
  /** Invocations per second, in the last ten to fifteen seconds. */
  rate: number;
  invocations: number;
  failed: number;
  starts: { warm: number; prewarmed: number; cold: number };
  /** Milliseconds by phase; a phase is absent if nothing was counted. */
  phases: Partial<Record<Phase, Percentiles>>;
  /** Invocations by slot of five seconds, oldest first. */
  history: number[];
}

/** One point of a function's course. */
export interface StatisticsPoint {
  /** How long ago the slot began, in seconds. */
  agoS: number;
  warm: number;
  prewarmed: number;
  cold: number;
  failed: number;
  p50: number | null;
  p99: number | null;
}

export function emptySlot(at: number): Slot {
  return { at, invocations: 0, failed: 0, starts: [0, 0, 0], phases: PHASES.map(() => new Map()) };
}

/** Adds a report to a slot. Phases, starts and buckets that a later version may add are left out. */
export function addTo(slot: Slot, { invocations, failed, starts, phases }: FunctionUsage): void {
  slot.invocations += invocations;
  slot.failed += failed;
  for (const kind of [0, 1, 2] as const) slot.starts[kind] += starts[kind] ?? 0;
  slot.phases.forEach((counts, phase) => {
    addPairs(counts, phases[phase] ?? []);
  });
}

function addPairs(counts: Map<number, number>, pairs: readonly number[]): void {
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const bucket = pairs[i] as number;
    counts.set(bucket, (counts.get(bucket) ?? 0) + (pairs[i + 1] as number));
  }
}

/** `slots` of the last five minutes, in any order; `now` in milliseconds. */
export function viewOf(slots: readonly Slot[], now: number): StatisticsView {
  const current = Math.floor(now / SLOT_MS);
  const sum = emptySlot(current);
  const history = new Array<number>(SLOTS).fill(0);
  let recent = 0;
  for (const slot of slots) {
    const age = current - slot.at;
    if (age < 0 || age >= SLOTS) continue;
    history[SLOTS - 1 - age] = slot.invocations;
    if (age <= RATE_SLOTS) recent += slot.invocations;
    addSlot(sum, slot);
  }
  const seconds = (RATE_SLOTS * SLOT_MS + (now % SLOT_MS)) / 1000;
  const [warm, prewarmed, cold] = sum.starts;
  return {
    rate: Math.round((100 * recent) / seconds) / 100,
    invocations: sum.invocations,
    failed: sum.failed,
    starts: { warm, prewarmed, cold },
    phases: percentilesOf(sum),
    history,
  };
}

function addSlot(sum: Slot, slot: Slot): void {
  sum.invocations += slot.invocations;
  sum.failed += slot.failed;
  for (const kind of [0, 1, 2] as const) sum.starts[kind] += slot.starts[kind];
  slot.phases.forEach((counts, phase) => {
    const into = sum.phases[phase];
    for (const [bucket, count] of counts) into?.set(bucket, (into.get(bucket) ?? 0) + count);
  });
}

function percentilesOf({ phases }: Slot): StatisticsView["phases"] {
  const views: StatisticsView["phases"] = {};
  PHASES.forEach((phase, index) => {
    const counts = phases[index] ?? new Map<number, number>();
    const p50 = percentile(counts, 0.5);
    if (p50 !== null) views[phase] = { p50, p99: percentile(counts, 0.99) ?? p50 };
  });
  return views;
}

/** The course of the last five minutes, oldest first; slots without invocations are zero. */
export function courseOf(slots: readonly Slot[], now: number): StatisticsPoint[] {
  const current = Math.floor(now / SLOT_MS);
  const known = new Map(slots.map((slot) => [slot.at, slot]));
  return Array.from({ length: SLOTS }, (_, index) => {
    const at = current - SLOTS + 1 + index;
    const slot = known.get(at) ?? emptySlot(at);
    const [warm, prewarmed, cold] = slot.starts;
    const total = slot.phases[PHASES.indexOf("total")] ?? new Map<number, number>();
    const agoS = (now - at * SLOT_MS) / 1000;
    return { agoS, warm, prewarmed, cold, failed: slot.failed, p50: percentile(total, 0.5), p99: percentile(total, 0.99) };
  });
}
