import { describe, expect, test } from "vitest";
import type { Instance } from "../../../../../pool-manager/platform/platform.ts";
import { Rest } from "../../../../helpers/builders/rest.ts";

const stale = (rest: Rest) => [...rest.platform.observe().instances.values()].filter(({ replace }) => replace !== null);
const isFree = ({ echo }: Instance) => echo?.functionUid === null;

function mark(rest: Rest, replace: "version" | "node", which: (instance: Instance) => boolean = () => true): string[] {
  const marked = [...rest.platform.observe().instances.values()].filter(which).map(({ uid }) => uid);
  for (const uid of marked) rest.platform.setReplace(uid, replace);
  return marked;
}

/** Lets time pass in small steps, and tells the least of each state that was seen. */
async function least(rest: Rest, ms: number, at: () => void = () => {}): Promise<{ warm: number; prewarmed: number; most: number }> {
  const seen = { warm: 99, prewarmed: 99, most: 0 };
  for (let passed = 0; passed < ms; passed += 10) {
    await rest.pass(10);
    const { warm = 0, specializing = 0, prewarmed = 0 } = rest.states();
    seen.warm = Math.min(seen.warm, warm);
    seen.prewarmed = Math.min(seen.prewarmed, prewarmed + specializing);
    seen.most = Math.max(seen.most, rest.platform.uids().length);
    at();
  }
  return seen;
}

describe("a new version of the runtime", () => {
  test("replaces free instances first, then the function's one at a time; neither is ever fewer than it was", async () => {
    const rest = await Rest.reach();
    const marked = mark(rest, "version");
    let beforeFree = 0;
    const seen = await least(rest, 60_000, () => {
      const now = stale(rest);
      if (now.some(isFree) && now.filter((one) => !isFree(one)).length < 20) beforeFree += 1;
    });
    expect(stale(rest)).toEqual([]);
    expect(rest.states()).toEqual({ warm: 20, prewarmed: 4 });
    expect(rest.platform.uids().filter((uid) => marked.includes(uid))).toEqual([]);
    expect(beforeFree).toBe(0);
    expect(seen.warm).toBe(20);
    // One may be on its way from the pool to the function.
    expect(seen.prewarmed).toBeGreaterThanOrEqual(3);
    expect(seen.most).toBeLessThanOrEqual(27);
    expect(rest.doubts()).toEqual([]);
  });

  test("leaves the instances of the partition as they are, and continues when the partition falls", async () => {
    const rest = await Rest.reach();
    rest.pool.partition = 50;
    mark(rest, "version");
    await rest.pass(60_000);
    expect(stale(rest).length).toBe(12);
    rest.pool.partition = 0;
    await rest.pass(60_000);
    expect(stale(rest)).toEqual([]);
  });

  test("changes nothing while the pool is paused", async () => {
    const rest = await Rest.reach();
    rest.pool.paused = true;
    mark(rest, "version");
    await rest.pass(20_000);
    expect([stale(rest).length, rest.harm]).toEqual([24, []]);
  });
});

describe("a node that is drained", () => {
  test("loses its instances to others, many at a time, and no instance goes before another one serves", async () => {
    const rest = await Rest.reach();
    const uids = rest.platform.uids();
    const marked = mark(rest, "node", ({ uid }) => uids.indexOf(uid) % 3 === 0);
    expect(marked.length).toBe(8);
    const seen = await least(rest, 10_000);
    expect(stale(rest)).toEqual([]);
    expect([rest.states(), seen.warm]).toEqual([{ warm: 20, prewarmed: 4 }, 20]);
  });

  test("keeps them if there is no room for others: serving instances continue", async () => {
    const rest = await Rest.reach();
    rest.pool.max = 24;
    mark(rest, "node");
    const seen = await least(rest, 10_000);
    expect(seen.warm).toBe(20);
    expect(rest.harm.filter((one) => one.startsWith("drain"))).toEqual([]);
  });
});
