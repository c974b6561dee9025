import { expect, test } from "vitest";
import type { TableFunction } from "../../../../pool-manager/client/contract.ts";
import { Limiter } from "../../../../router/limiter/limiter.ts";
import type { Reservation } from "../../../../router/limiter/slot.ts";
import { FakeWaiter } from "../../../fakes/fake-waiter.ts";
import { endpoint, tableFunction } from "../../../helpers/builders/table.ts";

const functionOf = (key: string, ...instances: string[]) =>
  tableFunction({ key, name: key, revision: "r2", timeoutMs: 1000, queueTimeoutMs: 1000, endpoints: instances.map(endpointOf) });

const endpointOf = (instanceUid: string) => endpoint({ instanceUid, revision: "r2" });

function limiter(key: string, instances: string[], siblings: () => Limiter[] = () => []): Limiter {
  const fn = functionOf(key, ...instances);
  const made = new Limiter(
    fn,
    () => 0,
    () => {},
    siblings,
  );
  made.update(fn);
  return made;
}

// I7
test("invocations in flight count at the limiter that takes the instances over, and their end wakes waiting ones there", () => {
  const before = limiter("f@r2", ["i"]);
  const first = new FakeWaiter();
  before.acquire(first);
  const after = limiter("f", ["i"]);
  after.adopt(before);
  expect(after.demand()).toMatchObject({ inFlight: 1, instances: [{ uid: "i", inFlight: 1 }] });
  const second = new FakeWaiter();
  after.acquire(second);
  expect(second.reservation).toBeNull();
  first.reservation?.release();
  expect(second.reservation).not.toBeNull();
  expect(after.demand()).toMatchObject({ inFlight: 1, waiting: 0 });
});

test("code that has answered is known to run before the table says so, until the instance takes other code", () => {
  const made = limiter("f", ["i"]);
  const listed = (epoch: number): TableFunction => ({ ...made.function, endpoints: [{ ...endpointOf("i"), epoch, loaded: false }] });
  const taken = () => {
    const one = new FakeWaiter();
    made.acquire(one);
    if (!one.reservation) throw new Error("no slot");
    return one.reservation;
  };
  made.update(listed(2));
  const first = taken();
  expect(first.loaded).toBe(false);
  first.answered();
  first.release();
  made.update(listed(2));
  const second = taken();
  expect(second.loaded).toBe(true);
  made.update(listed(3));
  second.answered();
  second.release();
  expect(taken().loaded).toBe(false);
});

test("an instance that is not listed there counts until its invocation has ended", () => {
  const before = limiter("f@r2", ["gone"]);
  const first = new FakeWaiter();
  before.acquire(first);
  const after = limiter("f", ["i"]);
  after.adopt(before);
  expect(after.demand()).toMatchObject({ inFlight: 1 });
  first.reservation?.release();
  expect(after.demand()).toMatchObject({ inFlight: 0, instances: [{ uid: "i" }] });
});

test("an instance that changes its revision takes its invocations in flight along, there and back", () => {
  const all: Limiter[] = [];
  const [old, next] = [limiter("f", ["i"], () => all), limiter("f@r2", [], () => all)];
  all.push(old, next);
  const [first, second, third] = [new FakeWaiter(), new FakeWaiter(), new FakeWaiter()];
  old.acquire(first);
  next.acquire(second);
  next.update(functionOf("f@r2", "i"));
  expect(second.reservation).toBeNull();
  expect([old.demand().inFlight, next.demand().inFlight]).toEqual([0, 1]);
  old.acquire(third);
  expect(third.reservation).toBeNull();
  old.update(functionOf("f"));
  first.reservation?.release();
  expect(second.reservation?.slot.instanceUid).toBe("i");
  // It goes back while that runs.
  old.update(functionOf("f", "i"));
  next.update(functionOf("f@r2"));
  expect(third.reservation).toBeNull();
  second.reservation?.release();
  expect(third.reservation?.slot.instanceUid).toBe("i");
  third.reservation?.release();
  expect([old.demand().inFlight, next.demand().inFlight]).toEqual([0, 0]);
});

test("an invocation that an instance refuses after the table has reported a failed load gets that failure as its answer", () => {
  const made = limiter("f", ["i"]);
  const one = new FakeWaiter();
  made.acquire(one);
  const failure = { reason: "load" as const, message: "bad config", instanceUid: "i", retryAfterMs: 500 };
  made.update({ ...functionOf("f"), failure });
  one.reservation?.release();
  made.requeue(one);
  expect(one.error).toMatchObject({ code: "FUNCTION_LOAD_FAILED", message: "bad config" });
  expect(made.demand().waiting).toBe(0);
});

test("an invocation that waits while a function's process keeps crashing does not get the message of another caller's crash", () => {
  const made = limiter("f", []);
  const [one, late] = [new FakeWaiter(), new FakeWaiter()];
  made.acquire(one);
  const failure = { reason: "crash" as const, message: "Error: alice@example.test has no card", instanceUid: "i", retryAfterMs: 500 };
  made.update({ ...functionOf("f"), failure });
  made.acquire(late);
  const message = "the process of f has ended again and again soon after its load, and is started again later";
  for (const { error } of [one, late]) expect(error).toMatchObject({ code: "FUNCTION_CRASHED", message, retryAfterMs: expect.any(Number) });
});

test("a load is tried again after its time, a runtime that there is not is the answer until the table has another one", () => {
  const tried = (reason: "load" | "runtime") => {
    let now = 0;
    const made = new Limiter(
      functionOf("f"),
      () => now,
      () => {},
    );
    made.update({ ...functionOf("f"), failure: { reason, message: "why", instanceUid: "", retryAfterMs: 500 } });
    const answers = [0, 499, 500, 86_400_000].map((at) => {
      now = at;
      const waiter = new FakeWaiter();
      made.acquire(waiter);
      return waiter.error?.code ?? "waits";
    });
    made.update(functionOf("f"));
    const last = new FakeWaiter();
    made.acquire(last);
    return [...answers, last.error?.code ?? "waits"];
  };
  expect(tried("load")).toEqual(["FUNCTION_LOAD_FAILED", "FUNCTION_LOAD_FAILED", "waits", "waits", "waits"]);
  expect(tried("runtime")).toEqual([...Array(4).fill("RUNTIME_UNAVAILABLE"), "waits"]);
});

test("an invocation that has waited in vain learns why no instance can come, if that is known", () => {
  const answer = (blocked: string | null) => {
    let now = 0;
    const fn = { ...functionOf("f"), blocked };
    const limiter = new Limiter(
      fn,
      () => now,
      () => {},
    );
    const waits = new FakeWaiter();
    limiter.acquire(waits);
    now = fn.queueTimeoutMs;
    limiter.check();
    return [waits.error?.code, waits.error?.status, waits.error?.message];
  };
  expect(answer(null)).toEqual(["QUEUE_TIMEOUT", 504, "no instance of f was free within 1000 ms (queueTimeout)"]);
  expect(answer("exceeded quota: q")).toEqual([
    "POOL_BLOCKED",
    503,
    "no instance of f was free within 1000 ms (queueTimeout), and no other can come: exceeded quota: q",
  ]);
});

test("an invocation that an instance refuses as another function's goes elsewhere or waits, and others are still sent there", () => {
  let now = 0;
  const fn = { ...functionOf("f", "i", "j"), concurrency: 2 };
  const made = new Limiter(
    fn,
    () => now,
    () => {},
    () => [],
  );
  made.update(fn);
  const lone = new FakeWaiter();
  made.acquire(lone);
  const [at, other] = (lone.reservation as Reservation | null)?.endpoint.instanceUid === "i" ? ["i", "j"] : ["j", "i"];
  made.turnedAway(lone, at, "stale");
  (lone.reservation as Reservation | null)?.release();
  lone.reservation = null;
  made.acquire(lone);
  expect((lone.reservation as Reservation | null)?.endpoint.instanceUid).toBe(other);
  made.turnedAway(lone, other, "stale");
  (lone.reservation as Reservation | null)?.release();
  lone.reservation = null;
  made.acquire(lone);
  expect(lone.reservation).toBeNull();
  // It waits, and delays no invocation behind it.
  const later = [new FakeWaiter(), new FakeWaiter(), new FakeWaiter(), new FakeWaiter()];
  for (const one of later) made.acquire(one);
  expect(later.map(({ reservation }) => reservation !== null)).toEqual([true, true, true, true]);
  later[0]?.reservation?.release();
  now = 1001;
  made.check();
  expect(lone.reservation).not.toBeNull();
});
