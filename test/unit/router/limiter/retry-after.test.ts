import { beforeEach, describe, expect, test } from "vitest";
import { retryAfterSeconds } from "../../../../router/downstream/error-response.ts";
import { RouterError } from "../../../../router/errors.ts";
import { Limiter } from "../../../../router/limiter/limiter.ts";
import type { Reservation } from "../../../../router/limiter/slot.ts";
import { FakeWaiter } from "../../../fakes/fake-waiter.ts";
import { endpoint, tableFunction } from "../../../helpers/builders/table.ts";

const function_ = tableFunction({ queueDepth: 5, queueTimeoutMs: 30_000, expectedStartMs: 200 });
const serving = (...uids: string[]) => ({ ...function_, endpoints: uids.map((instanceUid) => endpoint({ instanceUid })) });

let now: number;
let limiter: Limiter;
let running: Reservation[];
let refused: RouterError[];

beforeEach(() => {
  [now, running, refused] = [1_000_000, [], []];
  limiter = new Limiter(
    function_,
    () => now,
    () => {},
  );
});

function invoke(): void {
  limiter.acquire(new FakeWaiter(now, { granted: (reservation) => void running.push(reservation), rejected: (error) => void refused.push(error) }));
}

/** The one that runs longest ends after this time. */
function endAfter(ms: number): void {
  now += ms;
  running.shift()?.release();
}

/** Seconds that the last refusal names. */
const named = () => retryAfterSeconds(refused.at(-1) as RouterError);

describe("a caller that finds the queue full learns when the queue will have been served", () => {
  beforeEach(() => limiter.update(serving("i")));

  test("slow invocations: the time of all those before it", () => {
    for (let i = 0; i < 6; i++) invoke();
    for (let i = 0; i < 3; i++) {
      endAfter(4000);
      invoke();
    }
    invoke();
    expect([refused.map(({ code }) => code), named()]).toEqual([["QUEUE_FULL"], 24]);
  });

  test("two instances halve that, fast invocations give the minimum, and earlier idle time does not count", () => {
    limiter.update(serving("i", "j"));
    invoke();
    endAfter(4000);
    now += 3_600_000;
    for (let i = 0; i < 7; i++) invoke();
    for (let i = 0; i < 80; i++) {
      endAfter(2000);
      invoke();
    }
    invoke();
    expect(named()).toBe(12);
    for (let i = 0; i < 40; i++) {
      endAfter(5);
      invoke();
    }
    invoke();
    expect(named()).toBe(1);
  });

  test("no invocation has ended yet: each one may take as long again", () => {
    for (let i = 0; i < 6; i++) invoke();
    now += 3000;
    invoke();
    expect(named()).toBe(18);
  });

  test("a function that makes no progress: at most until all waiting invocations have timed out", () => {
    for (let i = 0; i < 6; i++) invoke();
    now += 20_000;
    invoke();
    expect(named()).toBe(30);
  });
});

describe("without an instance", () => {
  test("an expected start, or as long again as the first invocation has waited if that was longer", () => {
    limiter.update(function_);
    for (let i = 0; i < 6; i++) invoke();
    expect(named()).toBe(1);
    now += 7000;
    invoke();
    expect(named()).toBe(7);
    now += 23_000;
    limiter.check();
    expect([refused.at(-1)?.code, named()]).toEqual(["QUEUE_TIMEOUT", 30]);
  });
});

describe("an invocation that has waited too long learns when those behind it will have been served", () => {
  test("before invocations that take longer than the queue's timeout", () => {
    limiter.update(serving("i"));
    invoke();
    invoke();
    now += 30_000;
    limiter.check();
    expect([refused[0]?.code, named()]).toEqual(["QUEUE_TIMEOUT", 30]);
  });
});

test("errors after which a retry cannot help name no time", () => {
  const seconds = (code: "FUNCTION_DELETED" | "INSTANCE_UNAVAILABLE" | "FUNCTION_ERROR") => retryAfterSeconds(new RouterError(code, ""));
  expect([seconds("INSTANCE_UNAVAILABLE"), seconds("FUNCTION_DELETED"), seconds("FUNCTION_ERROR")]).toEqual([1, null, null]);
});
