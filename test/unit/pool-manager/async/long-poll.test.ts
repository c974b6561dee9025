import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { longPoll } from "../../../../pool-manager/async/long-poll.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const CASES = [
  { name: "the first answer ends it", waitMs: 60_000, takesMs: 10_000, answerAt: 2, asked: [10_000, 10_000], found: "there" },
  { name: "no request waits beyond the bound", waitMs: 25_000, takesMs: 10_000, answerAt: 9, asked: [10_000, 10_000, 5000], found: null },
  { name: "an answer that comes early and says nothing is followed by a request", waitMs: 6000, takesMs: 4000, answerAt: 9, asked: [6000, 2000], found: null },
  { name: "without time nothing is asked", waitMs: 0, takesMs: 1000, answerAt: 1, asked: [], found: null },
];

test.each(CASES)("$name", async ({ waitMs, takesMs, answerAt, asked, found }) => {
  const asks: number[] = [];
  const result = longPoll(waitMs, async (askMs) => {
    asks.push(askMs);
    await new Promise((resolve) => setTimeout(resolve, takesMs));
    return asks.length >= answerAt ? "there" : null;
  });
  await vi.advanceTimersByTimeAsync(waitMs + takesMs);
  expect(await result).toBe(found);
  expect(asks).toEqual(asked);
});

test("a request that fails ends it", async () => {
  await expect(longPoll(1000, () => Promise.reject(new Error("refused")))).rejects.toThrow("refused");
});
