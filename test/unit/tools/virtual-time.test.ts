import { expect, test, vi } from "vitest";
import { processClock } from "../../../pool-manager/async/clock.ts";
import { VirtualTime } from "../../kubernetes/virtual-time.ts";

test("timers run at their times, those of one moment with immediates first and then by age, and cleared ones never", () =>
  VirtualTime.run(1, async (time) => {
    const ran: string[] = [];
    const run = (what: string) => () => void ran.push(`${time.now()} ${what}`);
    const ms = [40, 7, 23, 7, 88, 1, 23, 64, 12, 0.4, 30.9];
    const timers = ms.map((at, i) => setTimeout(run(`timeout ${i}`), at));
    clearTimeout(timers[4]);
    const interval = setInterval(run("interval"), 20);
    setTimeout(() => setTimeout(run("inner"), 0), 23);
    setImmediate(run("immediate"));
    await time.sleep(65);
    clearInterval(interval);
    await time.sleep(1000);
    expect(ran).toEqual([
      "0 immediate",
      "0 timeout 9",
      "1 timeout 5",
      "7 timeout 1",
      "7 timeout 3",
      "12 timeout 8",
      "20 interval",
      "23 timeout 2",
      "23 timeout 6",
      "24 inner",
      "30 timeout 10",
      "40 timeout 0",
      "40 interval",
      "60 interval",
      "64 timeout 7",
    ]);
  }));

test("a timer that throws does not stop the others of its moment, and fails the run", async () => {
  const ran: string[] = [];
  const run = VirtualTime.run(1, async (time) => {
    setTimeout(() => {
      throw new Error("thrown by a timer");
    }, 5);
    setTimeout(() => ran.push("its neighbour"), 5);
    await time.sleep(10);
  });
  await expect(run).rejects.toThrow("thrown by a timer");
  expect(ran).toEqual(["its neighbour"]);
});

/** The state of a worker that has run other files for minutes: its clocks begin anew in each run, at less than they were. */
test.each([1, 2, 3])("a clock that is created in a run skips none of its quiet time: run %i", () =>
  VirtualTime.run(1, async (time) => {
    const clock = processClock();
    const before = clock.now();
    await time.sleep(600_000);
    expect(clock.now() - before).toBe(600_000);
    expect(clock.now()).toBeGreaterThanOrEqual(0);
  }),
);

test("the end of a run restores the timers and clocks", async () => {
  const real = [setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate, Date, performance.now, Math.random];
  await VirtualTime.run(1, async () => expect(setTimeout).not.toBe(real[0]));
  expect([setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate, Date, performance.now, Math.random]).toEqual(real);
  expect(vi.isFakeTimers()).toBe(false);
});
