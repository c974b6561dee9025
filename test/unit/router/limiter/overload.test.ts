import { expect, test } from "vitest";
import { Limiter } from "../../../../router/limiter/limiter.ts";
import { FakeWaiter } from "../../../fakes/fake-waiter.ts";
import { endpoint, tableFunction } from "../../../helpers/builders/table.ts";
import { VirtualTime } from "../../../simulation/time.ts";

const RUN_MS = 100;
const INSTANCES = 2;
const CONCURRENCY = 4;
/** Invocations a second. */
const CAPACITY = (INSTANCES * CONCURRENCY * 1000) / RUN_MS;
const QUEUE_TIMEOUT_MS = 30_000;

interface Fate {
  arrivedAt: number;
  /** Milliseconds until it got a slot; null: it got none. */
  waitedMs: number | null;
  /** The error's code, and after how many milliseconds. */
  refused: { code: string; ms: number } | null;
}

const functionOf = (queueDepth: number) => {
  const endpoints = Array.from({ length: INSTANCES }, (_, i) => endpoint({ instanceUid: `i${i}` }));
  return tableFunction({ concurrency: CONCURRENCY, timeoutMs: 1000, queueDepth, queueTimeoutMs: QUEUE_TIMEOUT_MS, endpoints });
};

/** A function in virtual time whose invocations all run for as long. */
class Busy {
  readonly time = new VirtualTime(1);
  readonly fates: Fate[] = [];
  /** Numbers of invocations in the order in which they got a slot. */
  readonly order: number[] = [];
  readonly #limiter: Limiter;

  constructor(queueDepth: number) {
    this.#limiter = new Limiter(functionOf(queueDepth), this.time.now, () => {});
    this.#limiter.update(functionOf(queueDepth));
    const check = () => {
      this.#limiter.check();
      this.time.after(10, check);
    };
    check();
  }

  invoke(): void {
    const arrivedAt = this.time.now();
    const fate: Fate = { arrivedAt, waitedMs: null, refused: null };
    const number = this.fates.push(fate) - 1;
    const waiter = new FakeWaiter(arrivedAt, {
      granted: (reservation) => {
        this.order.push(number);
        fate.waitedMs = this.time.now() - arrivedAt;
        this.time.after(RUN_MS, () => reservation.release());
      },
      rejected: ({ code }) => {
        fate.refused = { code, ms: this.time.now() - arrivedAt };
      },
    });
    this.#limiter.acquire(waiter);
  }

  /** Evenly spaced invocations. Returns what becomes of them, as far as it is known at the end. */
  async load(rate: number, seconds: number): Promise<Fate[]> {
    const from = this.fates.length;
    const began = this.time.now();
    for (let i = 0; i < rate * seconds; i++) this.time.after((i * 1000) / rate, () => this.invoke());
    await this.time.run(began + seconds * 1000);
    return this.fates.slice(from);
  }
}

test("after an overload of five times its capacity, a function serves later invocations at once", async () => {
  const busy = new Busy(1000);
  const crowd = await busy.load(5 * CAPACITY, 20);
  // All that can be served is, and the others are told at once.
  const served = crowd.filter(({ waitedMs }) => waitedMs !== null);
  expect(served.length).toBeGreaterThanOrEqual(20 * CAPACITY - 1);
  const full = crowd.filter(({ refused }) => refused?.code === "QUEUE_FULL");
  expect(full.length).toBeGreaterThanOrEqual(crowd.length - served.length - 1000);
  expect(Math.max(...full.map(({ refused }) => refused?.ms ?? 0))).toBe(0);

  const after = await busy.load(0.4 * CAPACITY, 9.9);
  await busy.time.run(busy.time.now() + RUN_MS);
  expect(Math.max(...after.map(({ waitedMs }) => waitedMs ?? Number.POSITIVE_INFINITY))).toBeLessThanOrEqual(RUN_MS);
  // Invocations that have waited since the crowd get the remaining capacity until their own timeouts.
  expect(busy.order.length).toBeGreaterThanOrEqual(30 * CAPACITY - 1);
  await busy.time.run(busy.time.now() + QUEUE_TIMEOUT_MS);
  expect(busy.fates.filter(({ waitedMs, refused }) => (waitedMs === null) === (refused === null))).toEqual([]);
});

test("the oldest invocation is served first as long as none is turned away, and again once none waits any more", async () => {
  const busy = new Busy(100);
  await busy.load(3 * CAPACITY, 0.5);
  await busy.time.run(busy.time.now() + 2000);
  expect(busy.order).toEqual(busy.fates.map((_, number) => number));

  await busy.load(5 * CAPACITY, 1);
  expect(busy.fates.some(({ refused }) => refused)).toBe(true);
  await busy.time.run(busy.time.now() + 5000);
  const from = busy.fates.length;
  busy.order.length = 0;
  await busy.load(3 * CAPACITY, 0.5);
  await busy.time.run(busy.time.now() + 2000);
  expect(busy.order).toEqual(busy.fates.slice(from).map((_, i) => from + i));
});

test("a function that is overloaded until invocations time out serves later ones at once, too", async () => {
  const busy = new Busy(100_000);
  const crowd = await busy.load(2 * CAPACITY, 70);
  expect(crowd.some(({ refused }) => refused?.code === "QUEUE_TIMEOUT")).toBe(true);
  const waits = crowd.flatMap(({ waitedMs, arrivedAt }) => (waitedMs !== null && arrivedAt > 65_000 ? [waitedMs] : []));
  expect(waits.length).toBeGreaterThan(4 * CAPACITY);
  expect(Math.max(...waits)).toBeLessThan(1000);
});
