import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { PoolManagerLink, RouterPeer, TableChange, TableFunction } from "../../../../pool-manager/client/contract.ts";
import { pauseAfter, TableSnapshots } from "../../../../pool-manager/client/snapshot.ts";

test.each([
  ["of some functions", 50_000, 2, 200],
  ["of 700 functions", 400_000, 10, 200],
  ["of 10,000 functions", 5_420_000, 40, 2710],
  ["of 10,000 functions, on a leader that is busy", 5_420_000, 160, 3200],
  ["of 10,000 functions with several instances", 20_000_000, 200, 5000],
  ["that Redis took its time to accept", 50_000, 500, 5000],
])("a table %s", (_what, bytes, tookMs, pauseMs) => {
  expect(pauseAfter({ bytes, tookMs })).toBe(pauseMs);
});

describe("the table in Redis", () => {
  let stored: Map<string, string>;
  let written: { at: number; functions: number }[];
  let isAway: boolean;
  let listener: (change: TableChange) => void;
  let functions: TableFunction[];
  let routers: RouterPeer[];
  let end: () => void;
  let snapshots: TableSnapshots;
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  const change = (count: number, bytes = 100) => {
    functions = Array.from({ length: count }, (_, i) => ({ name: `f${i}`, filler: "x".repeat(bytes / count) }) as unknown as TableFunction);
    listener({ type: "remove", key: "", name: "" });
  };
  const saved = () => JSON.parse(stored.get("berth:n:table") ?? "{}");

  beforeEach(() => {
    vi.useFakeTimers();
    [stored, written, isAway, routers, functions] = [new Map(), [], false, [], []];
    const answer = async <T>(work: () => T) => {
      if (isAway) throw new Error("Connection is closed.");
      return work();
    };
    vi.spyOn(Redis.prototype, "mset").mockImplementation(((key: string, table: string, managerKey: string, url: string) =>
      answer(() => {
        stored.set(key, table).set(managerKey, url);
        written.push({ at: performance.now(), functions: JSON.parse(table).functions.length });
        return "OK";
      })) as never);
    vi.spyOn(Redis.prototype, "exists").mockImplementation(((key: string) => answer(() => Number(stored.has(key)))) as never);
    vi.spyOn(Redis.prototype, "get").mockImplementation(((key: string) => answer(() => stored.get(key) ?? null)) as never);
    vi.spyOn(Redis.prototype, "connect").mockResolvedValue(undefined);
    snapshots = new TableSnapshots("redis://redis.invalid:6379", "n");
    let subscribers = 0;
    const link = {
      subscribe: (told: (change: TableChange) => void) => {
        // The first one follows; the others read the table.
        if (++subscribers === 1) listener = told;
        told({ type: "snapshot", functions });
        return () => {};
      },
    } as unknown as PoolManagerLink;
    end = snapshots.keep(link, () => routers, "http://a");
  });
  afterEach(() => {
    end();
    snapshots.close();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  test("follows a small table five times a second, and always gets the last change", async () => {
    for (let i = 1; i <= 20; i++) {
      change(i);
      await pass(100);
    }
    await pass(300);
    expect(written.length).toBeGreaterThanOrEqual(8);
    expect(saved().functions).toHaveLength(20);
  });

  test("follows a large table that changes all the time with pauses that depend on its size, and is at most five seconds old", async () => {
    for (let i = 1; i <= 300; i++) {
      change(1 + (i % 7), 5_000_000);
      await pass(100);
    }
    expect(written.length).toBeGreaterThanOrEqual(7);
    expect(written.length).toBeLessThanOrEqual(13);
    change(3, 5_000_000);
    await pass(5000);
    expect(saved().functions).toHaveLength(3);
  });

  test("is not written again while nothing changes, but is after a flush of Redis, after another one wrote it, or when a router comes", async () => {
    change(2);
    await pass(1000);
    const before = written.length;
    await pass(30_000);
    expect(written.length).toBe(before);
    stored.clear();
    await pass(2500);
    expect(saved().functions).toHaveLength(2);
    stored.set("berth:n:manager", "http://former");
    await pass(2500);
    expect(stored.get("berth:n:manager")).toBe("http://a");
    routers = [{ id: "r", host: "h", port: 1 }];
    await pass(2500);
    expect(saved().routers).toHaveLength(1);
    stored.set("berth:n:table", "damaged");
    await pass(63_000);
    expect(saved().functions).toHaveLength(2);
  });

  test("is written as soon as Redis is back", async () => {
    isAway = true;
    change(4);
    await pass(20_000);
    isAway = false;
    await pass(1000);
    expect(saved().functions).toHaveLength(4);
  });
});
