import { describe, expect, test } from "vitest";
import { PoolHistory } from "../../../../../pool-manager/pool/history/pool-history.ts";
import { readHistory, writeHistory } from "../../../../../pool-manager/pool/history/stored-history.ts";
import { windowOf } from "../../../../../pool-manager/pool/history/windows.ts";

const BEGIN = Date.UTC(2026, 10, 30, 9);
const DAY_MS = 86_400_000;

/** A day in which something happens in every ten seconds, with many functions. */
function busyDay(): PoolHistory {
  const history = new PoolHistory(BEGIN);
  for (let at = 0; at < DAY_MS; at += 5000) {
    const now = BEGIN + at;
    history.advance(now);
    for (let i = 0; i < 1 + ((at / 5000) % 7); i++) history.claimed(now, { refillMs: 3000, refills: 2 });
    history.served(now, at % 3 > 0);
    history.refilled(now, 1500);
    const claimant = history.claimant(`00000000-0000-0000-0000-${String((at / 5000) % 300).padStart(12, "0")}`);
    claimant.claimed(now, 1);
    claimant.had(now, 2, 1000);
    claimant.loaded(now, 5, 1000);
  }
  history.chosen = { size: 7, belowSince: BEGIN, changedAt: null };
  return history;
}

const last = (history: PoolHistory) => windowOf(history.hour, BEGIN + DAY_MS, 3_600_000, BEGIN);
const busy = busyDay();

test("what is stored is what is read", () => {
  const read = readHistory(writeHistory(busy, 64 * 1024 * 1024));
  expect(last(read)).toEqual(last(busy));
  expect([read.chosen, read.refillMs, read.since, read.functions.size]).toEqual([busy.chosen, busy.refillMs, busy.since, 256]);
});

test("how many invocations a function had at a time is stored, and a history of an earlier version has none of it", () => {
  const text = writeHistory(busy, 64 * 1024 * 1024);
  const [uid = "", own] = [...busy.functions].at(-1) ?? [];
  const loadsIn = (history: PoolHistory) =>
    history.functions
      .get(uid)
      ?.hour.entries()
      .map(([, { loads }]) => [...loads]);
  expect(loadsIn(readHistory(text))).toEqual(own?.hour.entries().map(([, { loads }]) => [...loads]));
  const stored = JSON.parse(text) as { functions: object[] };
  const earlier = { ...stored, functions: stored.functions.map((one) => ({ ...one, hourLoads: undefined, dayLoads: undefined })) };
  expect(loadsIn(readHistory(JSON.stringify(earlier)))?.flat()).toEqual([]);
});

test("a busy day has bounded size, in memory and stored", () => {
  expect([busy.hour.entries().length, busy.day.entries().length]).toEqual([360, 1440]);
  expect(writeHistory(busy, 1e9).length).toBeLessThan(8_000_000);
});

test.each([1_000_000, 100_000, 20_000, 2000])("a text of at most %i bytes keeps the newest", (most) => {
  const text = writeHistory(busy, most);
  expect(text.length).toBeLessThanOrEqual(most);
  const read = readHistory(text);
  expect(read.chosen).toEqual(busy.chosen);
  const newest = read.hour.entries().at(-1)?.[0];
  if (most >= 20_000) expect(newest).toBe(busy.hour.entries().at(-1)?.[0]);
});

describe("a damaged text is refused", () => {
  const whole = JSON.parse(writeHistory(busy, 2_000_000)) as Record<string, unknown>;
  test.each([
    ["nothing", ""],
    ["half of it", writeHistory(busy, 20_000).slice(0, 9000)],
    ["another version", JSON.stringify({ ...whole, version: 2 })],
    ["negative counts", JSON.stringify({ ...whole, hour: [[1, -1, 0, 0, 0, 0, [], []]] })],
    ["too many buckets", JSON.stringify({ ...whole, hour: Array.from({ length: 5000 }, (_, i) => [i, 1, 0, 0, 0, 0, [], []]) })],
    ["no numbers", JSON.stringify({ ...whole, since: "yesterday" })],
    ["null", "null"],
  ])("%s", (_title, text) => {
    expect(() => readHistory(text)).toThrow();
  });
});
