import { describe, expect, test } from "vitest";
import type { WindowScaling } from "../../../../../pool-manager/functions/function.ts";
import { chooseByWindow, mostNext, type Panic, type WindowLoad } from "../../../../../pool-manager/pool/scaling/window-scale.ts";
import { Dice } from "../../../../helpers/dice.ts";

const NOW = 100_000;
const policy = (change: Partial<WindowScaling> = {}): WindowScaling => ({
  windowMs: 60_000,
  target: 70,
  scaleDownDelayMs: 0,
  activationScale: 1,
  maxScaleUpRate: 1000,
  ...change,
});
const load = (change: Partial<WindowLoad>): WindowLoad => ({ now: NOW, stable: 0, panic: 0, concurrency: 10, ready: 0, ...change });
const panic = (agoMs: number, peak: number): Panic => ({ lastAt: NOW - agoMs, peak });

describe("chooseByWindow", () => {
  test.each<[string, Partial<WindowScaling>, Partial<WindowLoad>, Panic | null, number, Panic | null]>([
    ["no load", {}, {}, null, 0, null],
    ["the least load", {}, { stable: 0.001, panic: 0.001, ready: 1 }, null, 1, null],
    ["instances at their target stay", {}, { stable: 28, panic: 28, ready: 4 }, null, 4, null],
    ["load above the target", {}, { stable: 29, panic: 29, ready: 4 }, null, 5, null],
    ["a target of 100 percent", { target: 100 }, { stable: 40, panic: 40, ready: 4 }, null, 4, null],
    ["less load than there are instances for", {}, { stable: 8, panic: 8, ready: 6 }, null, 2, null],
    ["the panic window below the threshold", {}, { stable: 14, panic: 49, ready: 4 }, null, 2, null],
    ["the panic window at the threshold", {}, { stable: 14, panic: 56, ready: 4 }, null, 8, panic(0, 8)],
    ["nothing shrinks in a panic", {}, { stable: 14, panic: 7, ready: 8 }, panic(59_999, 8), 8, panic(59_999, 8)],
    ["a panic wants more", {}, { stable: 14, panic: 70, ready: 8 }, panic(1000, 8), 10, panic(1000, 10)],
    ["a panic ends after a window", {}, { stable: 14, panic: 7, ready: 8 }, panic(60_000, 8), 2, null],
    ["no instance serves yet", {}, { stable: 1, panic: 14, ready: 0 }, null, 2, panic(0, 2)],
    ["activation scale", { activationScale: 3 }, { stable: 1, panic: 1, ready: 1 }, null, 3, null],
    ["activation scale without load", { activationScale: 3 }, { ready: 3 }, null, 0, null],
    ["the scale-up rate limits a panic", { maxScaleUpRate: 1.5 }, { stable: 70, panic: 70, ready: 3 }, null, 5, panic(0, 5)],
    ["the scale-up rate limits the window", { maxScaleUpRate: 1.5 }, { stable: 70, panic: 70, ready: 6 }, null, 9, null],
  ])("%s", (_case, settings, given, before, wanted, after) => {
    expect(chooseByWindow(policy(settings), load(given), before)).toEqual({ wanted, panic: after });
  });

  test("the number rises with the load, keeps instances at or below their target, and wastes less than one", () => {
    const dice = new Dice(3);
    for (let run = 0; run < 2000; run++) {
      const settings = policy({ target: 10 + dice.below(91), activationScale: 1 });
      const concurrency = 1 + dice.below(100);
      const stable = dice.next() * 500;
      const given = load({ stable, panic: stable, concurrency, ready: 1000 });
      const { wanted } = chooseByWindow(settings, given, null);
      const perInstance = (concurrency * settings.target) / 100;
      expect(wanted * perInstance).toBeGreaterThanOrEqual(stable - 1e-6);
      expect((wanted - 1) * perInstance).toBeLessThan(stable + 1e-6);
      expect(chooseByWindow(settings, { ...given, stable: stable * 1.5 }, null).wanted).toBeGreaterThanOrEqual(wanted);
    }
  });
});

test("mostNext counts from one instance at least", () => {
  expect(mostNext(policy({ maxScaleUpRate: 1.5 }), 0)).toBe(2);
  expect(mostNext(policy({ maxScaleUpRate: 2 }), 7)).toBe(14);
});
