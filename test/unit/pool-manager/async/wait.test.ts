import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { until } from "../../../../pool-manager/async/wait.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("until resolves with the first value that the check returns", async () => {
  let value: string | null = null;
  const found = until(() => value, { boundMs: 1000, everyMs: 10 });
  await vi.advanceTimersByTimeAsync(100);
  value = "there";
  await vi.advanceTimersByTimeAsync(10);
  expect(await found).toBe("there");
  expect(vi.getTimerCount()).toBe(0);
});

test("until resolves with null after its bound", async () => {
  const found = until(() => false, { boundMs: 1000, everyMs: 10 });
  await vi.advanceTimersByTimeAsync(1010);
  expect(await found).toBeNull();
});
