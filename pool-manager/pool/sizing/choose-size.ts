import { allowedInWords, freeAllowed, type IdleMemory, sizeCap } from "../memory/idle-memory.ts";
import { totalOf, weightBelow } from "./depths.ts";
import { type ClaimWindow, modelledSize, neededSize, rateOf } from "./needed-size.ts";
import { claimsInWords, percent, secondsInWords } from "./words.ts";

/** A recent rate this many times the hour's shows a rise that the hour's record does not show yet. */
const RISE = 1.25;
/** Refills run concurrently for this many times what the rate of claims needs. */
const REFILL_RESERVE = 1.25;
/** A size is left alone as long as this share of it is wanted, … */
const KEEP_SHARE = 0.9;
/** … and otherwise shrinks after this time, … */
const SHRINK_AFTER_MS = 300_000;
/** … by a tenth, and not again within this time. */
const SHRINK_EVERY_MS = 60_000;

/** The size in force, and what its next change depends on. Times are those of the inputs. */
export interface SizeState {
  size: number;
  /** Since when a smaller size is wanted; null: it is not. */
  belowSince: number | null;
  changedAt: number | null;
}

/** Everything that a decision depends on: the same inputs give the same decision. */
export interface SizingInputs {
  at: number;
  /** Time since the previous decision. */
  elapsedMs: number;
  min: number;
  max: number;
  /** The schedule in force, which raises `min`, in words; null: none is. */
  scheduled: { instances: number; text: string } | null;
  /** The memory for idle instances, which bounds the size beside `max`; null: only `max` does. */
  memory: IdleMemory | null;
  /** Share of the claims that find a free instance. */
  targetHit: number;
  state: SizeState;
  /** Time from the claim of an instance until its replacement is prewarmed. */
  refillMs: number;
  /** The least and the largest number of concurrent refills. */
  refills: { least: number; most: number };
  recent: ClaimWindow;
  hour: ClaimWindow;
}

export interface SizingDecision extends SizeState {
  /** The size that the claims want, which `size` approaches. */
  wanted: number;
  /** Refills that run concurrently, so that they can follow the claims. */
  refills: number;
  reason: string;
}

/** The next size of a pool that sizes itself. It grows no faster than refills follow, and shrinks slowly. */
export function chooseSize(inputs: SizingInputs): SizingDecision {
  const { state } = inputs;
  const max = sizeCap(inputs.memory, inputs.min, inputs.max);
  const min = Math.min(leastOf(inputs), max);
  const refills = refillsFor(inputs);
  const { needed, reason } = neededNow(inputs);
  const wanted = Math.min(Math.max(needed, min), max);
  const from = Math.min(Math.max(state.size, min), max);
  const next = approach({ ...inputs, state: { ...state, size: from } }, wanted, refills);
  const changedAt = next.size === state.size ? state.changedAt : inputs.at;
  return { ...next, changedAt, wanted, refills, reason: `${reason}${boundInWords(needed, inputs)}${pathInWords(next.size, wanted)}` };
}

/** The least size: by the pool's own bound, or by the schedule in force. */
function leastOf({ min, scheduled }: SizingInputs): number {
  return Math.max(min, scheduled?.instances ?? 0);
}

function boundInWords(needed: number, inputs: SizingInputs): string {
  const { min, max, scheduled, memory } = inputs;
  const wanted = Math.max(needed, leastOf(inputs));
  if (memory && wanted > freeAllowed(memory)) {
    const kept = min > freeAllowed(memory) ? `, and min keeps ${min}` : "";
    const wants = scheduled && scheduled.instances === wanted ? scheduled.text : "auto";
    return `; ${wants} wants ${wanted}, ${allowedInWords(memory)}${kept}`;
  }
  if (needed >= max) return `; max allows ${max}`;
  if (needed >= leastOf(inputs)) return "";
  return scheduled && scheduled.instances > min ? `; ${scheduled.instances} by ${scheduled.text}` : `; min keeps ${min}`;
}

function pathInWords(size: number, wanted: number): string {
  if (size === wanted) return "";
  return size < wanted ? `; it grows as fast as refills follow, now ${size}` : `; it shrinks slowly, now ${size}`;
}

/** The size that the recorded claims need, without the lower bound. */
function neededNow(inputs: SizingInputs): { needed: number; reason: string } {
  const { recent, hour, targetHit, refillMs } = inputs;
  if (hour.claims === 0) return { needed: 0, reason: "no claims in the last hour" };
  const byHour = neededSize(hour, inputs);
  const byRise = rateOf(recent) > RISE * rateOf(hour) ? modelledSize(recent, inputs) : 0;
  if (byRise > byHour) {
    const reason = `the rate is rising (last minutes: ${claimsInWords(recent)}): with refills of ${secondsInWords(refillMs)}, ${byRise} free are needed for ${percent(targetHit)}`;
    return { needed: byRise, reason };
  }
  const share = weightBelow(hour.depths, byHour) / totalOf(hour.depths);
  return { needed: byHour, reason: `${byHour} free would have served ${percent(share)} of the last hour's claims at once (${claimsInWords(hour)})` };
}

function refillsFor({ refillMs, refills, recent, hour }: SizingInputs): number {
  const busy = (Math.max(rateOf(recent), rateOf(hour)) * refillMs) / 1000;
  return Math.max(refills.least, Math.min(refills.most, Math.ceil(busy * REFILL_RESERVE)));
}

function approach(inputs: SizingInputs, wanted: number, refills: number): Pick<SizeState, "size" | "belowSince"> {
  const { at, elapsedMs, refillMs, state } = inputs;
  const { size, belowSince } = state;
  if (wanted >= size) {
    const follows = Math.max(1, Math.floor((refills * elapsedMs) / Math.max(1, refillMs)));
    return { size: Math.min(wanted, size + follows), belowSince: null };
  }
  // Nothing wanted is no nearly wanted size.
  if (wanted > 0 && wanted >= size * KEEP_SHARE) return { size, belowSince: null };
  const since = Math.min(at, belowSince ?? at);
  return { size: mayShrink(at, since, state.changedAt) ? Math.max(wanted, size - Math.max(1, Math.floor(size / 10))) : size, belowSince: since };
}

function mayShrink(at: number, belowSince: number, changedAt: number | null): boolean {
  return at - belowSince >= SHRINK_AFTER_MS && (changedAt === null || at - changedAt >= SHRINK_EVERY_MS);
}
