import { describe, expect, test } from "vitest";
import type { WindowScaling } from "../../../../../pool-manager/functions/function.ts";
import type { World } from "../../../../../pool-manager/pool/decide/world.ts";
import { FunctionWindows } from "../../../../../pool-manager/pool/scaling/function-windows.ts";
import { fn, instance, warm, world } from "../../../../helpers/builders/world.ts";

const POLICY: WindowScaling = { windowMs: 60_000, target: 70, scaleDownDelayMs: 0, activationScale: 1, maxScaleUpRate: 1000 };
const TARGET = fn("a", { concurrency: 10, windowScaling: POLICY, maxScale: 100 });
const running = (inFlight: number, key = "a") => new Map([[key, { waiting: 0, inFlight, oldestWaitMs: 0 }]]);
const three = ["i", "j", "k"].map((uid) => warm(uid, "a"));
const at = (now: number, change: Partial<World>): World => world({ now, functions: [TARGET], instances: three, ...change });

/** Observes the same each half second; returns what the windows say at the end. */
function during(windows: FunctionWindows, from: number, to: number, change: Partial<World>) {
  let scales = windows.observe(at(from, change));
  for (let now = from + 500; now <= to; now += 500) scales = windows.observe(at(now, change));
  return scales;
}

describe("FunctionWindows", () => {
  test("averages the demand of each served revision; others have no entry", () => {
    const windows = new FunctionWindows();
    during(windows, 0, 30_000, { demand: running(20) });
    const scale = during(windows, 30_000, 60_000, { demand: running(10) }).get("a");
    expect(scale).toMatchObject({ wanted: 3, panicking: false, idleForMs: 6000 });
    expect(scale?.stable).toBeCloseTo(15, 6);
    expect(scale?.panic).toBeCloseTo(10, 6);
    expect(windows.observe(at(61_000, { functions: [fn("a")] })).size).toBe(0);
  });

  test("of a function that has instances already, nothing is removed before a whole window is known", () => {
    const windows = new FunctionWindows();
    expect(during(windows, 1000, 60_500, { demand: running(14) }).get("a")).toMatchObject({ wanted: 2, idleForMs: Number.POSITIVE_INFINITY });
    expect(during(windows, 61_000, 61_000, { demand: running(14) }).get("a")).toMatchObject({ wanted: 2, idleForMs: 6000 });
  });

  test("a function without instances is known to have had no load", () => {
    const windows = new FunctionWindows();
    windows.observe(at(1000, { instances: [], demand: new Map([["a", { waiting: 1, inFlight: 0, oldestWaitMs: 1 }]]) }));
    const scale = windows.observe(at(1100, { instances: [], demand: running(1) })).get("a");
    expect(scale).toMatchObject({ wanted: 1, idleForMs: 6000 });
    expect(scale?.stable).toBeCloseTo(100 / 60_000, 9);
  });

  test("a step of the load panics; the panic's number stays for a window, and then the window's applies", () => {
    const windows = new FunctionWindows();
    during(windows, 0, 60_000, { demand: running(10) });
    const risen = during(windows, 60_000, 66_000, { demand: running(70) }).get("a");
    expect(risen).toMatchObject({ wanted: 10, panicking: true });
    // It is over the threshold while three instances serve, and until the panic window has forgotten the load.
    expect(during(windows, 66_000, 120_000, { demand: running(10) }).get("a")).toMatchObject({ wanted: 10, panicking: true });
    expect(during(windows, 120_000, 140_000, { demand: running(10) }).get("a")).toMatchObject({ wanted: 2, panicking: false });
  });

  test("fewer instances must be wanted for the whole scale-down delay", () => {
    const delayed = { ...POLICY, scaleDownDelayMs: 30_000 };
    const windows = new FunctionWindows();
    const functions = [{ ...TARGET, windowScaling: delayed }];
    during(windows, 0, 60_000, { functions, demand: running(21) });
    // After 30 s of a third of the load the average wants one instance less; without a delay that is all.
    const atOnce = new FunctionWindows();
    during(atOnce, 0, 60_000, { demand: running(21) });
    expect(during(atOnce, 60_000, 91_000, { demand: running(7) }).get("a")?.wanted).toBe(2);
    expect(during(windows, 60_000, 119_000, { functions, demand: running(7) }).get("a")?.wanted).toBe(3);
    expect(during(windows, 119_000, 122_000, { functions, demand: running(7) }).get("a")?.wanted).toBe(2);
  });

  test("a revision that becomes the active one brings its load with it", () => {
    const windows = new FunctionWindows();
    const next = { ...TARGET, key: "a@r2", active: false, revision: "r2" };
    const both = new Map([...running(14), ...running(28, "a@r2")]);
    during(windows, 0, 60_000, { functions: [TARGET, next], demand: both });
    const scale = windows.observe(at(60_001, { functions: [{ ...TARGET, revision: "r2" }], demand: running(42) })).get("a");
    expect(scale?.stable).toBeCloseTo(42, 2);
    expect(scale?.wanted).toBe(6);
  });

  test("a changed window begins anew; a changed target does not", () => {
    const windows = new FunctionWindows();
    during(windows, 0, 60_000, { demand: running(14) });
    const tighter = windows.observe(at(60_500, { functions: [{ ...TARGET, windowScaling: { ...POLICY, target: 35 } }], demand: running(14) }));
    expect(tighter.get("a")).toMatchObject({ wanted: 4, idleForMs: 6000 });
    const longer = windows.observe(at(61_000, { functions: [{ ...TARGET, windowScaling: { ...POLICY, windowMs: 90_000 } }], demand: running(14) }));
    expect(longer.get("a")).toMatchObject({ wanted: 2, idleForMs: Number.POSITIVE_INFINITY });
  });

  test("instances that serve are counted by revision; those of retired revisions are the active one's", () => {
    const windows = new FunctionWindows();
    const slow = { ...TARGET, windowScaling: { ...POLICY, maxScaleUpRate: 2 } };
    const instances = [
      warm("i", "a"),
      warm("j", "a", { revision: "r0" }),
      warm("k", "a", { removing: true }),
      instance("l", { state: "specializing", functionUid: "a", revision: "r1" }),
    ];
    expect(windows.observe(at(0, { functions: [slow], instances, demand: running(1) })).get("a")?.most).toBe(4);
  });

  test("an incomplete world is not sampled: instances that are not listed yet had a load before", () => {
    const windows = new FunctionWindows();
    expect(windows.observe(at(0, { synced: false, instances: [], demand: running(1) })).size).toBe(0);
    expect(windows.observe(at(500, { demand: running(14) })).get("a")).toMatchObject({ wanted: 2, idleForMs: Number.POSITIVE_INFINITY });
  });

  test("what is kept of a function ends with it", () => {
    const windows = new FunctionWindows();
    for (let i = 0; i < 1000; i++) windows.observe(at(i, { functions: [{ ...TARGET, key: `f${i}`, uid: `f${i}` }], demand: running(1, `f${i}`) }));
    expect(windows.size).toBe(1);
  });
});
