import { type Balance, type HistoryRecord, type RecordOf, time } from "../history.ts";

/** Code that was given up is kept for ten minutes; a sweep a minute, and twenty removals in each, come after. */
const KEPT_MS = 15 * 60_000;
/** A process has its modules, its first functions and its compiled code by then. */
const WARM_MS = 10_000;
/** Further private memory that may come in the course of a run, beside half of what there was: the heap's young half and garbage that is not collected yet. */
const SLACK_MB = 24;
/** Looks at the beginning, and at the end, of which the median is taken. */
const CHECKS = 5;

/** Rules 10 to 12 of `check`. */
export function checkBalance(records: readonly HistoryRecord[]): string[] {
  const last = records.findLast((record): record is RecordOf<"balance"> => record.type === "balance");
  if (!last) return ["rule 10: the run has come to no end that could be looked at"];
  return [...checkPool(last.balance), ...checkImages(records, last), ...checkMemory(records)];
}

function checkPool({ size, states, places, strays }: Balance): string[] {
  const violations = strays.map((stray) => `rule 10: left over: ${stray}`);
  const { prewarmed = 0, ...others } = states;
  const rest = Object.entries(others).filter(([, count]) => count > 0);
  if (prewarmed !== size) violations.push(`rule 10: ${prewarmed} prewarmed instances in a pool of ${size}`);
  for (const [state, count] of rest) violations.push(`rule 10: ${count} instances are ${state}, with nothing deployed`);
  if (places !== size) violations.push(`rule 10: the platform has ${places} instances for a pool of ${size}`);
  return violations;
}

function checkImages(records: readonly HistoryRecord[], { at, balance }: RecordOf<"balance">): string[] {
  const { lastNeeded, uncertain } = needs(records, at);
  const violations: string[] = [];
  for (const image of balance.images) {
    const needed = lastNeeded.get(image);
    if (needed === undefined) {
      // It is unknown whether a deployment without an answer has made an image.
      if (!uncertain) violations.push(`rule 11: the code image ${image} was never any function's`);
    } else if (at - needed > KEPT_MS && balance.ledMs > KEPT_MS) {
      violations.push(`rule 11: the code image ${image} was given up at ${time(needed)}, and is still kept`);
    }
  }
  return violations;
}

/** When each image was last known to be a function's. */
function needs(records: readonly HistoryRecord[], end: number): { lastNeeded: Map<string, number>; uncertain: boolean } {
  const lastNeeded = new Map<string, number>();
  const current = new Map<string, readonly string[]>();
  let uncertain = false;
  for (const record of records) {
    if (record.type === "changed" && record.now === null) uncertain = true;
    if (record.type !== "revisions") continue;
    for (const image of current.get(record.function) ?? []) lastNeeded.set(image, record.at);
    for (const image of record.images) lastNeeded.set(image, record.at);
    current.set(record.function, record.images);
  }
  for (const images of current.values()) for (const image of images) lastNeeded.set(image, end);
  return { lastNeeded, uncertain };
}

export interface Growth {
  of: string;
  earlyMb: number;
  lateMb: number;
}

/** Memory of each part of Berth early in the run and at its end, if it was measured often enough. */
export function growth(records: readonly HistoryRecord[]): Growth[] {
  const looks = new Map<string, number[]>();
  for (const record of records) {
    if (record.type !== "memory" || record.ageMs < WARM_MS) continue;
    looks.set(record.of, [...(looks.get(record.of) ?? []), record.mb]);
  }
  const enough = [...looks].filter(([, found]) => found.length >= 2 * CHECKS);
  return enough.map(([of, found]) => ({ of, earlyMb: median(found.slice(0, CHECKS)), lateMb: median(found.slice(-CHECKS)) }));
}

function checkMemory(records: readonly HistoryRecord[]): string[] {
  return growth(records)
    .filter(({ earlyMb, lateMb }) => lateMb > 1.5 * earlyMb + SLACK_MB)
    .map(({ of, earlyMb, lateMb }) => `rule 12: ${of} had ${earlyMb} MB early in the run, and ${lateMb} MB at its end`);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
