import { describe, expect, test } from "vitest";
import { parsePolicies } from "../../../../../bench/replay/policy.ts";
import { Replay } from "../../../../../bench/replay/replay.ts";
import { generate } from "../../../../../bench/replay/traces/generate.ts";
import { idleBytes } from "../../../../../pool-manager/pool/decide/memory-use.ts";
import type { Decision, World } from "../../../../../pool-manager/pool/decide/world.ts";
import { INSTANCE_BYTES } from "../../../../../pool-manager/pool/memory/idle-memory.ts";

/** A free instance beyond the pool's size is removed after this time. */
const SURPLUS_MS = 5000;
const trace = generate({ seed: 7, functions: 40, days: 1, mostPerDay: 200 });

/** Instances without an invocation that a decision leaves, and that no invocation waits for, in the memory of so many. */
function keptBy(world: World, { actions, unmet }: Decision): number {
  const gone = new Set(actions.flatMap((action) => (action.kind === "remove" || action.kind === "specialize" ? [action.instance.uid] : [])));
  const isPassing = (one: World["instances"][number]) => one.state === "prewarmed" && world.now - one.readyAt <= SURPLUS_MS;
  const left = world.instances.filter((instance) => !gone.has(instance.uid) && !isPassing(instance));
  const awaited = unmet.reduce((sum, { missing }) => sum + missing, 0);
  const starting = left.filter(({ state }) => state === "starting").length;
  return idleBytes({ ...world, instances: left }, "node") / INSTANCE_BYTES - Math.min(awaited, starting);
}

/** Replays a day of invocations; `room`: instances that fit into the idle memory, null for no limit. */
function replayed(policy: string, room: number | null) {
  const [parsed] = parsePolicies(policy);
  if (!parsed) throw new Error("no policy");
  const seen = { most: 0, leastSize: Number.POSITIVE_INFINITY, mostSize: 0 };
  const onDecided = (world: World, decision: Decision) => {
    const size = world.pools[0]?.size ?? 0;
    seen.most = Math.max(seen.most, keptBy(world, decision));
    seen.leastSize = Math.min(seen.leastSize, size);
    seen.mostSize = Math.max(seen.mostSize, size);
  };
  const limit = room !== null && { idleMemory: room * INSTANCE_BYTES };
  const speeds = { createMs: 200, loadMs: 20 };
  const { tally, spentMs } = new Replay(trace, parsed, { ...speeds, ...limit, concurrency: 100, size: "auto", max: 200, onDecided }).run();
  return { ...seen, served: tally.invocations, starts: tally.starts, maxMs: tally.waits.maxValue / 1000, allMs: spentMs.all };
}

describe.each(["fixed:10m", "auto"])("a day of invocations, with idle instances as %s", (policy) => {
  const free = replayed(policy, null);

  test("keeps more than the limit without one", () => {
    expect(free.most).toBeGreaterThan(12);
    expect(free.served).toBe(trace.at.length);
  });

  test.each([12, 6])("never keeps more than %s instances without an invocation, never less than min, and serves every invocation", (room) => {
    const bounded = replayed(policy, room);
    expect(bounded.most).toBeLessThanOrEqual(room);
    expect(bounded.most).toBeGreaterThan(room - 2);
    expect(bounded.leastSize).toBe(1);
    expect(bounded.mostSize).toBeLessThanOrEqual(room);
    expect(bounded.served).toBe(trace.at.length);
    expect(bounded.maxMs).toBeLessThan(2000);
    expect(bounded.allMs).toBeLessThan(free.allMs);
    expect(bounded.starts).toBeGreaterThan(free.starts);
  });
});
