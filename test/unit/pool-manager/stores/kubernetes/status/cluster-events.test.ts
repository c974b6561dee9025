import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KubeError } from "../../../../../../pool-manager/kubernetes/error.ts";
import type { PoolEvent } from "../../../../../../pool-manager/pool/events.ts";
import { ClusterEvents } from "../../../../../../pool-manager/stores/kubernetes/status/cluster-events.ts";

const failed = (message: string, fn: string | null = null): PoolEvent => ({
  type: "action.failed",
  action: fn ? "bind" : "scale",
  pool: "node",
  function: fn,
  reason: "REFUSED",
  message,
  again: false,
});

function recorder(answer: () => Promise<unknown> = async () => ({})) {
  const written: { involvedObject: object; reason: string; message: string; type: string }[] = [];
  const lost: string[] = [];
  const clock = { now: 0 };
  const create = async <T>(_path: string, body: unknown): Promise<T> => {
    written.push(body as (typeof written)[number]);
    return (await answer()) as T;
  };
  const events = new ClusterEvents({
    kube: { namespace: "n", create },
    uidOf: ({ kind, name }) => (name === "unknown" ? null : `uid-${kind}-${name}`),
    now: () => clock.now,
    watch: async (write) => {
      await write.catch((error: Error) => lost.push(error.message));
    },
  });
  return { events, written, lost, clock };
}

test("an Event belongs to the Pool or the Function that it is about", () => {
  const { events, written } = recorder();
  events.tell(failed("exceeded quota"));
  events.tell(failed("unsigned image", "hello"));
  events.tell({ type: "instance.prewarmed", pool: "node", instance: "i", ms: 1 });
  events.tell({ type: "instance.removing", pool: "node", instance: "i", function: "hello", reason: "idle" });
  events.tell({ type: "instance.removing", pool: "node", instance: "i", function: "hello", reason: "unreachable" });
  expect(written).toMatchObject([
    {
      involvedObject: { kind: "Pool", name: "node", uid: "uid-Pool-node", namespace: "n" },
      type: "Warning",
      reason: "ActionFailed",
      message: "scale: exceeded quota",
    },
    { involvedObject: { kind: "Function", name: "hello" }, reason: "ActionFailed", message: "bind: unsigned image" },
    { involvedObject: { kind: "Function", name: "hello" }, reason: "InstanceRemoved", message: "i: unreachable" },
  ]);
});

test("an object gets one Event of a kind per minute, and the next Event counts those that were left out", () => {
  const { events, written, clock } = recorder();
  for (let i = 0; i < 50; i++) events.tell(failed("exceeded quota"));
  expect(written).toHaveLength(1);
  clock.now = 60_000;
  events.tell(failed("exceeded quota"));
  expect(written[1]?.message).toBe("scale: exceeded quota (and 49 more of its kind before)");
});

test("no Event is written about an object without a resource, and few are written at once", async () => {
  const { events, written } = recorder(() => new Promise(() => {}));
  events.tell(failed("unsigned", "unknown"));
  for (let i = 0; i < 100; i++) events.tell(failed("unsigned", `f${i}`));
  expect(written).toHaveLength(20);
});

describe("an Event that cannot be written", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("is written when that is possible again, after growing pauses, and says when it happened", async () => {
    let isRefused = true;
    const { events, written } = recorder(() =>
      isRefused ? Promise.reject(new KubeError(500, "InternalError", "a webhook does not answer")) : Promise.resolve({}),
    );
    const began = Date.now();
    events.tell(failed("exceeded quota"));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(written.length).toBeGreaterThan(3);
    expect(written.length).toBeLessThan(12);
    isRefused = false;
    const tries = written.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(written.length).toBe(tries + 1);
    expect(written.at(-1)).toMatchObject({ message: "scale: exceeded quota", firstTimestamp: `${new Date(began).toISOString().slice(0, 19)}Z` });
    await vi.advanceTimersByTimeAsync(600_000);
    expect(written.length).toBe(tries + 1);
  });

  test("is replaced by a later one of its kind, and dropped if too many wait", async () => {
    let isRefused = true;
    const { events, written, clock } = recorder(() => (isRefused ? Promise.reject(new KubeError(0, "Unreachable", "no answer")) : Promise.resolve({})));
    events.tell(failed("first"));
    await vi.advanceTimersByTimeAsync(60_000);
    clock.now = 60_000;
    events.tell(failed("second"));
    for (let i = 0; i < 300; i++) {
      events.tell(failed("unsigned", `f${i}`));
      await vi.advanceTimersByTimeAsync(10);
    }
    isRefused = false;
    written.length = 0;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(written.length).toBeLessThanOrEqual(100);
    expect(written.some(({ message }) => message.endsWith("first"))).toBe(false);
  });

  test("for good is not tried again, and none is tried again after an hour or after the end", async () => {
    for (const error of [new KubeError(422, "Invalid", "no"), new KubeError(404, "NotFound", "no"), new Error("a fault of ours")]) {
      const { events, written } = recorder(() => Promise.reject(error));
      events.tell(failed("x"));
      await vi.advanceTimersByTimeAsync(600_000);
      expect(written).toHaveLength(1);
    }
    const denied = recorder(() => Promise.reject(new KubeError(403, "Forbidden", "events is forbidden")));
    denied.events.tell(failed("x"));
    await vi.advanceTimersByTimeAsync(4_000_000);
    const tries = denied.written.length;
    expect(tries).toBeGreaterThan(50);
    await vi.advanceTimersByTimeAsync(4_000_000);
    expect(denied.written).toHaveLength(tries);
    const { events, written } = recorder(() => Promise.reject(new KubeError(500, "", "")));
    events.tell(failed("x"));
    await vi.advanceTimersByTimeAsync(100);
    events.close();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(written).toHaveLength(1);
  });
});

test("an Event that is refused is reported, and does no harm", async () => {
  const { events, lost } = recorder(() => Promise.reject(new Error("events is forbidden")));
  events.tell(failed("x"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(lost).toEqual(["events is forbidden"]);
});
