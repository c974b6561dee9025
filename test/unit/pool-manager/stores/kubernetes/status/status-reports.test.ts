import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KubeError } from "../../../../../../pool-manager/kubernetes/error.ts";
import type { StoreNotice } from "../../../../../../pool-manager/stores/kubernetes/notices.ts";
import { StatusReports, type StatusSources } from "../../../../../../pool-manager/stores/kubernetes/status/status-reports.ts";
import { WriteFailureReport } from "../../../../../../pool-manager/stores/kubernetes/write-failures.ts";

const NAMES = Array.from({ length: 40 }, (_, i) => `f${i}`);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The reports if each write of a function takes so long. */
function reporting(writeMs: number, failure: () => Error | null = () => new Error("denied")) {
  const reported = { functions: [] as string[], pools: 0, most: 0 };
  const notices: StoreNotice[] = [];
  let running = 0;
  const write = async (name: string) => {
    running += 1;
    reported.most = Math.max(reported.most, running);
    await new Promise((resolve) => setTimeout(resolve, writeMs));
    running -= 1;
    reported.functions.push(name);
    const error = name === "f7" ? failure() : null;
    if (error) throw error;
  };
  const reports = new StatusReports({
    registry: { list: () => NAMES.map((name) => ({ uid: name, name, active: "r1" })) },
    pools: { list: () => [{ name: "node" }] },
    reconciler: { view: () => ({ instances: [], synced: true }), reports: { readiness: () => () => ({}), problemsOf: () => [] } },
    resources: {
      functions: { report: write },
      pools: {
        report: async () => {
          reported.pools += 1;
        },
      },
    },
    failures: new WriteFailureReport((notice) => notices.push(notice)),
    onTrouble: () => {},
  } as unknown as StatusSources);
  reports.start();
  return { reported, notices, reports };
}

test("slow writes of functions delay no pools, and delay each other only briefly", async () => {
  const { reported, reports } = reporting(10_000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(reported.pools).toBeGreaterThanOrEqual(29);
  expect(new Set(reported.functions).size).toBe(NAMES.length);
  expect(reported.most).toBe(8);
  reports.close();
});

test("a write that fails is reported once, and prevents no other write", async () => {
  const { reported, notices, reports } = reporting(10);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(new Set(reported.functions).size).toBe(NAMES.length);
  expect(notices.map(({ message }) => message)).toEqual(["the status of f7 is not written: denied"]);
  reports.close();
});

test.each([
  new KubeError(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"),
  new KubeError(500, "", "etcdserver: request is too large: trying to send message larger than max (2097152)"),
])("a status that is too large is written again with growing pauses, told once until it fits", async (error) => {
  let isTooLarge = true;
  const { reported, notices, reports } = reporting(10, () => (isTooLarge ? error : null));
  const writes = () => reported.functions.filter((name) => name === "f7").length;
  await vi.advanceTimersByTimeAsync(300_000);
  expect(writes()).toBeLessThan(9);
  expect(reported.functions.filter((name) => name === "f8").length).toBeGreaterThan(100);
  expect(notices.map(({ message }) => message)).toEqual([`the status of f7 is not written: ${error.message}`]);
  isTooLarge = false;
  await vi.advanceTimersByTimeAsync(310_000);
  expect(notices.map(({ message }) => message).slice(1)).toEqual(["the status of f7 is not written: resolved"]);
  // Then at the rate of all others.
  const before = writes();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(writes() - before).toBeGreaterThan(7);
  reports.close();
});
