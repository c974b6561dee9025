import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PeriodicTask } from "../../../../pool-manager/async/periodic-task.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("work that throws or rejects is reported once for each reason, continues, and is reported to have succeeded again", async () => {
  const troubles: (string | null)[] = [];
  let work: () => Promise<void> = async () => {};
  let rounds = 0;
  const repeated = new PeriodicTask(
    () => {
      rounds++;
      return work();
    },
    1000,
    (message) => troubles.push(message),
  );
  repeated.start();
  const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1000);
  await seconds(2);
  work = () => {
    throw new TypeError("a record of which a part is missing");
  };
  await seconds(3);
  work = () => Promise.reject(new Error("no answer"));
  await seconds(3);
  work = async () => {};
  await seconds(2);
  expect([rounds, troubles]).toEqual([10, ["a record of which a part is missing", "no answer", null]]);
  work = () => Promise.reject(new Error("closed"));
  repeated.close();
  await seconds(5);
  expect([rounds, troubles.length]).toEqual([10, 3]);
});

test("a round ends before the next one begins, and the round that is under way at the end is the last", async () => {
  let [running, most, rounds] = [0, 0, 0];
  const repeated = new PeriodicTask(
    async () => {
      rounds++;
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5000));
      running--;
    },
    1000,
    () => {},
  );
  repeated.start();
  await vi.advanceTimersByTimeAsync(13_500);
  repeated.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([rounds, most, running]).toEqual([3, 1, 0]);
});
