import { expect } from "vitest";
import { check } from "../../soak/checks/checker.ts";
import type { Balance, HistoryRecord } from "../../soak/history.ts";

export const ROUTER = "http://127.0.0.1:1";
const REST: Balance = { size: 2, states: { prewarmed: 2 }, places: 2, images: [], ledMs: 3_600_000, strays: [] };

export type Forged = { [T in HistoryRecord["type"]]: Omit<Extract<HistoryRecord, { type: T }>, "at"> }[HistoryRecord["type"]];

/** Seconds of the run, and what was written down then. */
export type Line = [seconds: number, ...records: Forged[]];

export const change = (...may: string[]): Forged => ({ type: "change", change: "c", function: "f", may });
export const changed = (now: string[] | null, tookMs = 20): Forged => ({ type: "changed", change: "c", function: "f", now, tookMs });
export const fault = (...ends: Extract<HistoryRecord, { type: "fault" }>["ends"]): Forged => ({
  type: "fault",
  fault: "x",
  what: "something is killed",
  ends,
  stalls: [],
});
export const over: Forged = { type: "fault-over", fault: "x" };

/** The result of `check` for this history, which begins with the function `f` as the tag `a` and ends at rest. */
export function violations(lines: readonly Line[], balance: Partial<Balance> = {}): string[] {
  const all: Line[] = [[0, change("a")], [0.1, changed(["a"])], ...lines, [900, { type: "balance", balance: { ...REST, ...balance } }]];
  return check(all.flatMap(([seconds, ...records]) => records.map((record) => ({ ...record, at: seconds * 1000 }) as HistoryRecord))).violations;
}

/** Each of these is one violation of the rule. */
export function breaks(rule: number, lines: readonly Line[], balance: Partial<Balance> = {}): void {
  expect(violations(lines, balance)).toEqual([expect.stringContaining(`rule ${rule}: `)]);
}
