import { describe, expect, test } from "vitest";
import { INSTANCE_BYTES } from "../../../../../pool-manager/pool/memory/idle-memory.ts";
import { chooseSize, type SizeState, type SizingInputs } from "../../../../../pool-manager/pool/sizing/choose-size.ts";
import type { ClaimWindow } from "../../../../../pool-manager/pool/sizing/needed-size.ts";

const AT = Date.UTC(2026, 10, 30, 9);
const MINUTE_MS = 60_000;

function claims(of: Partial<ClaimWindow> = {}): ClaimWindow {
  return { seconds: 3600, claims: 0, dispersion: 1, depths: new Map(), ...of };
}

/** An hour of 1,000 claims, of which one in a hundred came when 6 instances were missing. */
const BUSY = claims({ claims: 1000, depths: new Map([[0, 600], [1, 300], [2, 90], [6, 10]]) }); // biome-ignore format: one line

function inputs(of: Partial<SizingInputs> = {}, state: Partial<SizeState> = {}): SizingInputs {
  return {
    at: AT,
    elapsedMs: 10_000,
    min: 2,
    max: 30,
    scheduled: null,
    memory: null,
    targetHit: 0.99,
    state: { size: 3, belowSince: null, changedAt: null, ...state },
    refillMs: 1000,
    refills: { least: 1, most: 4 },
    recent: claims({ seconds: 300 }),
    hour: claims(),
    ...of,
  };
}

/** Memory for `count` instances, of which minScale has `reserved`. */
const memoryFor = (count: number, reserved = 0) => ({ limit: count * INSTANCE_BYTES, instance: INSTANCE_BYTES, reserved: reserved * INSTANCE_BYTES });
const NINE = { instances: 9, text: "the schedule daily 09:00-17:00 UTC until 17:00" };

describe("the wanted size", () => {
  const rising = claims({ seconds: 300, claims: 3000, dispersion: 4 });
  test.each([
    ["no claims: the least size", {}, 2, "no claims in the last hour; min keeps 2"],
    ["the least size that the target needs", { hour: BUSY }, 3, "3 free would have served 99 %"],
    ["a higher target needs the deepest claims", { hour: BUSY, targetHit: 0.999 }, 7, "7 free would have served 100 %"],
    ["never above max", { hour: BUSY, targetHit: 0.999, max: 5 }, 5, "; max allows 5"],
    ["never below min", { hour: BUSY, min: 6 }, 6, "; min keeps 6"],
    ["a schedule raises min", { scheduled: NINE }, 9, "no claims in the last hour; 9 by the schedule daily 09:00-17:00 UTC until 17:00"],
    ["a schedule below min changes nothing", { min: 10, scheduled: NINE }, 10, "; min keeps 10"],
    ["a schedule below what claims need changes nothing", { hour: BUSY, targetHit: 0.999, scheduled: { ...NINE, instances: 4 } }, 7, "7 free would have"],
    ["a schedule does not go above max", { max: 5, scheduled: NINE }, 5, "; 9 by the schedule"],
    ["within what idleMemory allows", { hour: BUSY, targetHit: 0.999, memory: memoryFor(5) }, 5, "; auto wants 7, idleMemory of 480Mi allows 5"],
    [
      "minScale takes its part of it",
      { hour: BUSY, targetHit: 0.999, memory: memoryFor(8, 3) },
      5,
      "; auto wants 7, idleMemory of 768Mi, of which minScale has 288Mi, allows 5",
    ],
    ["idleMemory above max changes nothing", { hour: BUSY, targetHit: 0.999, max: 5, memory: memoryFor(9) }, 5, "; max allows 5"],
    ["min is kept above idleMemory", { hour: BUSY, min: 3, memory: memoryFor(2) }, 3, "; auto wants 3, idleMemory of 192Mi allows 2, and min keeps 3"],
    [
      "a schedule stays within idleMemory",
      { scheduled: NINE, memory: memoryFor(4) },
      4,
      "; the schedule daily 09:00-17:00 UTC until 17:00 wants 9, idleMemory of 384Mi allows 4",
    ],
    [
      "what fits is not mentioned",
      { hour: BUSY, targetHit: 0.999, memory: memoryFor(7) },
      7,
      "7 free would have served 100 % of the last hour's claims at once (1000 claims, 17 a minute, dispersion 1.0)",
    ],
    ["a rising rate is not waited for", { hour: BUSY, recent: rising, refillMs: 500 }, 16, "the rate is rising"],
    [
      "few claims: the model is a lower bound",
      { hour: claims({ claims: 20, dispersion: 9, depths: new Map([[0, 20]]) }), refillMs: 60_000 },
      5,
      "would have served",
    ],
  ] as const)("%s", (_title, of, wanted, reason) => {
    const decision = chooseSize(inputs(of, { size: wanted }));
    expect(decision.wanted).toBe(wanted);
    expect(decision.reason).toContain(reason);
  });
});

describe("the way to it", () => {
  test("it grows no faster than refills follow", () => {
    const next = chooseSize(inputs({ hour: BUSY, targetHit: 0.999, elapsedMs: 5000, refillMs: 5000 }));
    expect(next).toMatchObject({ size: 5, wanted: 7, refills: 2, changedAt: AT });
    expect(next.reason).toContain("it grows as fast as refills follow, now 5");
  });

  test.each([
    ["not at once", { belowSince: null, changedAt: null }, 20],
    ["not before five minutes", { belowSince: AT - 4 * MINUTE_MS, changedAt: null }, 20],
    ["a tenth after five minutes", { belowSince: AT - 5 * MINUTE_MS, changedAt: null }, 18],
    ["not again within a minute", { belowSince: AT - 9 * MINUTE_MS, changedAt: AT - MINUTE_MS / 2 }, 20],
    ["a clock that was set back begins anew", { belowSince: AT + MINUTE_MS, changedAt: null }, 20],
  ] as const)("it shrinks slowly: %s", (_title, state, size) => {
    expect(chooseSize(inputs({ hour: BUSY }, { size: 20, ...state })).size).toBe(size);
  });

  test("a size that is nearly wanted stays, and so does the clock of shrinking", () => {
    const hour = claims({ claims: 1000, depths: new Map([[17, 1000]]) });
    expect(chooseSize(inputs({ hour }, { size: 20, belowSince: AT - 10 * MINUTE_MS }))).toMatchObject({ size: 20, belowSince: null, wanted: 18 });
  });

  test("changed bounds hold at once", () => {
    expect(chooseSize(inputs({ max: 8 }, { size: 20, belowSince: null })).size).toBe(8);
    expect(chooseSize(inputs({ min: 5 }, { size: 2 })).size).toBe(5);
  });

  test("the same inputs give the same decision", () => {
    const given = inputs({ hour: BUSY, recent: BUSY });
    expect(chooseSize(structuredClone(given))).toEqual(chooseSize(given));
  });
});
