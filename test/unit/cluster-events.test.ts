import { expect, test } from "vitest";
import type { PoolEvent } from "../../pool-manager/pool/events.ts";
import { ClusterEvents } from "../../pool-manager/resources/cluster-events.ts";

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

test("one object gets one Event of a kind a minute, and the next one counts what was left out", () => {
  const { events, written, clock } = recorder();
  for (let i = 0; i < 50; i++) events.tell(failed("exceeded quota"));
  expect(written).toHaveLength(1);
  clock.now = 60_000;
  events.tell(failed("exceeded quota"));
  expect(written[1]?.message).toBe("scale: exceeded quota (and 49 more of its kind before)");
});

test("nothing is written about what has no resource, and no more than a few are on their way at once", async () => {
  const { events, written } = recorder(() => new Promise(() => {}));
  events.tell(failed("unsigned", "unknown"));
  for (let i = 0; i < 100; i++) events.tell(failed("unsigned", `f${i}`));
  expect(written).toHaveLength(20);
});

test("an Event that is refused is told, and does no harm", async () => {
  const { events, lost } = recorder(() => Promise.reject(new Error("events is forbidden")));
  events.tell(failed("x"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(lost).toEqual(["events is forbidden"]);
});
