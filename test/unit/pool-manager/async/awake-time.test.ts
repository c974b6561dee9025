import { expect, test } from "vitest";
import { awakeTime } from "../../../../pool-manager/async/awake-time.ts";

/** A process whose time passes by hand: `run` with ticks, `stop` without. */
function process(): { now: () => number; run: (ms: number) => void; stop: (ms: number) => void; gaps: number[] } {
  let at = 1000;
  let check = () => {};
  const time = awakeTime(
    () => at,
    (tick) => {
      check = tick;
    },
  );
  const gaps: number[] = [];
  time.onGap((ms) => gaps.push(ms));
  time.now();
  const run = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) {
      at += 500;
      check();
    }
  };
  const stop = (ms: number) => {
    at += ms;
  };
  return { now: time.now, run, stop, gaps };
}

test("time in which the process was stopped is omitted for good, from the first reading on, whoever reads first", async () => {
  const { now, run, stop, gaps } = process();
  run(10_000);
  const before = now();
  stop(600_000);
  expect(now() - before).toBe(500);
  run(10_000);
  expect(now() - before).toBe(10_500);
  stop(60_000);
  run(500);
  expect(now() - before).toBe(11_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(gaps).toEqual([599_500, 60_000]);
});

test("slightly late readings count like any other, and time never runs backwards", () => {
  const { now, run, stop, gaps } = process();
  const before = now();
  run(2000);
  stop(2400);
  expect([now() - before, gaps]).toEqual([4400, []]);
  stop(2501);
  expect(now() - before).toBe(4900);
});
