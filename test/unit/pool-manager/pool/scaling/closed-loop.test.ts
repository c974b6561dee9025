import { describe, expect, test } from "vitest";
import type { WindowScaling } from "../../../../../pool-manager/functions/function.ts";
import { Dice } from "../../../../helpers/dice.ts";
import { type Load, run } from "./closed-loop.ts";

const MINUTE_MS = 60_000;
const policy = (change: Partial<WindowScaling> = {}): WindowScaling => ({
  windowMs: MINUTE_MS,
  target: 70,
  scaleDownDelayMs: 0,
  activationScale: 1,
  maxScaleUpRate: 1000,
  ...change,
});
/** The present rule, which keeps an instance for as long as the windows keep one that was used. */
const IMMEDIATE = { idleTimeoutMs: 6000 };
const windows = (change: Partial<WindowScaling> = {}) => ({ windowScaling: policy(change), idleTimeoutMs: MINUTE_MS });
const from0 =
  (load: Load): Load =>
  (now) =>
    now < 0 ? 0 : load(now);

describe("a function that scales by windows, in a closed loop with the decision", () => {
  test("a step of the load gets its instances at once, and the headroom of the target within a window", () => {
    const step = from0((now) => (now < 2 * MINUTE_MS ? 2 : 20));
    const { counts, starved, removals } = run(windows(), step, 5 * MINUTE_MS);
    const at = (ms: number) => counts[ms / 250] as number;
    expect(at(2 * MINUTE_MS - 250)).toBe(3);
    expect(at(2 * MINUTE_MS)).toBe(20);
    expect(at(2 * MINUTE_MS + 6000)).toBe(20);
    expect(at(3 * MINUTE_MS)).toBe(29);
    expect(counts.at(-1)).toBe(29);
    expect([starved, removals]).toEqual([0, 0]);
  });

  test("a burst leaves one instance when the window has forgotten it, and none after the idle timeout", () => {
    const burst = from0((now) => (now < 1000 ? 30 : 0));
    const { counts } = run(windows(), burst, 4 * MINUTE_MS);
    const at = (ms: number) => counts[ms / 250] as number;
    expect(Math.max(...counts)).toBe(30);
    expect(at(7500)).toBeLessThanOrEqual(10);
    expect(at(MINUTE_MS)).toBeGreaterThanOrEqual(1);
    expect(at(MINUTE_MS)).toBeLessThanOrEqual(8);
    expect(counts.at(-1)).toBe(0);
  });

  test("a ramp down removes step by step, with nobody starved and nothing started again", () => {
    const ramp = from0((now) => (now < MINUTE_MS ? 20 : Math.max(0, Math.round(20 - (now - MINUTE_MS) / 15_000))));
    const { counts, starts, starved, removals } = run(windows(), ramp, 8 * MINUTE_MS);
    const falling = counts.slice(MINUTE_MS / 250);
    expect(falling.every((count, i) => i === 0 || count <= (falling[i - 1] as number))).toBe(true);
    expect([starts, removals, starved, counts.at(-1)]).toEqual([29, 29, 0, 0]);
  });

  test("a flapping load starts and removes at most a third of what the present rule does, and with a delay a tenth", () => {
    const flapping = from0((now) => (Math.floor(now / 10_000) % 2 === 0 ? 20 : 0));
    const [before, after, delayed] = [IMMEDIATE, windows(), windows({ scaleDownDelayMs: MINUTE_MS })].map((change) => run(change, flapping, 10 * MINUTE_MS));
    expect(before).toMatchObject({ starts: 600, removals: 600 });
    expect(after?.starts).toBeLessThanOrEqual(200);
    expect(after?.removals).toBeLessThanOrEqual(200);
    expect(delayed?.starts).toBeLessThanOrEqual(60);
    expect(delayed?.removals).toBeLessThanOrEqual(60);
    expect([after?.starved, delayed?.starved]).toEqual([0, 0]);
  });

  test("a noisy load removes at most half as often as under the present rule", () => {
    const dice = new Dice(5);
    const noise = Array.from({ length: 1200 }, () => dice.below(9) - 4);
    const noisy = from0((now) => 14 + (noise[Math.floor(now / 500)] as number));
    const [before, after] = [IMMEDIATE, windows()].map((change) => run(change, noisy, 10 * MINUTE_MS));
    expect(after?.removals).toBeLessThanOrEqual((before?.removals ?? 0) / 2);
    expect(after?.starts).toBeLessThan(before?.starts ?? 0);
  });

  test("a scale-up rate of 2 doubles the instances that serve", () => {
    const { counts } = run(
      windows({ maxScaleUpRate: 2, target: 100 }),
      from0(() => 40),
      10_000,
    );
    expect([...new Set(counts)]).toEqual([2, 4, 8, 16, 32, 40]);
  });

  test("an activation starts as many as its activation scale, and load that wants fewer keeps them", () => {
    const { counts } = run(
      windows({ activationScale: 4 }),
      from0(() => 1),
      3 * MINUTE_MS,
    );
    expect([...new Set(counts)]).toEqual([4]);
  });
});
