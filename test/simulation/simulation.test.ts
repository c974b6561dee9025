import { expect, test } from "vitest";
import { type SimulationResult, simulate } from "./simulation.ts";
import { Tally } from "./tally.ts";

/** `npm run sim` runs more of them, and asserts that every fault, transition and refusal occurs: that takes some hundred. */
const SEEDS = 100;
const CLASS_SEEDS = 40;

test(`${SEEDS} seeds: every invariant holds after every step`, async () => {
  const total = new Tally();
  const violations: string[] = [];
  let fewest = Number.POSITIVE_INFINITY;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result: SimulationResult = await simulate(seed);
    total.merge(result.tally);
    fewest = Math.min(fewest, result.steps);
    if (result.violation) violations.push(`seed ${seed}: ${result.violation} (replay: npm run sim -- --seed ${seed})`);
  }
  console.log(`${SEEDS} seeds, at least ${fewest} steps each\n${total.print()}`);
  expect(violations).toEqual([]);
  expect(fewest).toBeGreaterThanOrEqual(300);
}, 170_000);

test(`${CLASS_SEEDS} seeds: every invariant holds while functions move between the pools of two size classes`, async () => {
  const violations: string[] = [];
  for (let seed = 1; seed <= CLASS_SEEDS; seed++) {
    const { violation } = await simulate(seed, {}, true);
    if (violation) violations.push(`seed ${seed}: ${violation} (replay: npm run sim -- --classes --seed ${seed})`);
  }
  expect(violations).toEqual([]);
}, 120_000);

test("a seed replays step for step", async () => {
  const [first, second] = [await simulate(42), await simulate(42)];
  expect(second.steps).toBe(first.steps);
  expect([...second.tally.counts]).toEqual([...first.tally.counts]);
});
