import { beforeEach, expect, test } from "vitest";
import type { DemandReport, FunctionDemand } from "../../../../pool-manager/client/contract.ts";
import { DemandReporter } from "../../../../router/routing/demand-reporter.ts";
import { VirtualTime } from "../../../simulation/time.ts";

const FUNCTIONS = 500;
const IDLE = { revision: "r1", waiting: 0, inFlight: 0, oldestWaitMs: 0, ended: 0, failed: 0, instances: [] };

let time: VirtualTime;
let reports: DemandReport[];
let reporter: DemandReporter;
let demands: Map<string, FunctionDemand>;

beforeEach(() => {
  time = new VirtualTime(1);
  reports = [];
  reporter = new DemandReporter("router", (report) => void reports.push(report), time.now, time.after);
  demands = new Map();
  for (let i = 0; i < FUNCTIONS; i++) {
    const key = `f${i}`;
    demands.set(key, { ...IDLE, key });
    reporter.add({ key, demand: () => demands.get(key) as FunctionDemand });
  }
  reporter.start();
});

/** The functions in each report within so many milliseconds. */
async function told(ms: number): Promise<string[][]> {
  reports = [];
  await time.run(time.now() + ms);
  return reports.map(({ functions }) => functions.map(({ key }) => key));
}

test("functions without invocations are reported once, and the router is still heard", async () => {
  expect((await told(1000)).map((keys) => keys.length)).toEqual([FUNCTIONS]);
  expect(await told(3000)).toEqual([[], [], []]);
});

test("a function is repeated as long as it has waiting or running invocations or instances, and once more", async () => {
  await told(1000);
  for (const busy of [{ waiting: 1 }, { inFlight: 1 }, { instances: [{ uid: "i", inFlight: 0, idleMs: 1 }] }]) {
    demands.set("f7", { ...IDLE, key: "f7", ...busy });
    reporter.changed("f7", true);
    expect(await told(3000)).toEqual([["f7"], ["f7"], ["f7"], ["f7"]]);
    demands.set("f7", { ...IDLE, key: "f7" });
    reporter.changed("f7", true);
    expect(await told(3000)).toEqual([["f7"], ["f7"], [], []]);
  }
});

test("a function whose instances have changed is reported again, though it has no invocations", async () => {
  await told(1000);
  demands.set("f7", { ...IDLE, key: "f7", instances: [{ uid: "i", inFlight: 0, idleMs: 1 }] });
  reporter.again("f7");
  expect(await told(2000)).toEqual([["f7"], ["f7"]]);
  reporter.delete("f7");
  expect(await told(2000)).toEqual([[], []]);
});
