import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import type { Action, InstanceView, RevisionTarget } from "../../../../../pool-manager/pool/decide/world.ts";
import { FunctionWindows } from "../../../../../pool-manager/pool/scaling/function-windows.ts";
import { fn, instance, POOL, world } from "../../../../helpers/builders/world.ts";

/** Time between two decisions, and that of a load of the code. */
const STEP_MS = 250;
const LOAD_MS = 500;

/** The cost of a run, and the outcomes of its invocations. */
export interface Outcome {
  starts: number;
  removals: number;
  /** Decisions at which an invocation waited although the load had been the same for longer than a load takes. */
  starved: number;
  /** Instances at each decision. */
  counts: number[];
  /** Integral of the instances over time, in seconds. */
  instanceSeconds: number;
}

/** A load: invocations that are there at a time, in milliseconds. */
export type Load = (now: number) => number;

/**
 * The real decision over a function whose load is given, in virtual time: instances that are ordered serve after `LOAD_MS`,
 * and running invocations are on the instances that were used last.
 */
export function run(change: Partial<RevisionTarget>, load: Load, durationMs: number): Outcome {
  const target = fn("a", { maxScale: 100, ...change });
  const pool = { ...POOL, size: 4, max: 200, budget: { actions: 1000, windowMs: 1000 } };
  const windows = new FunctionWindows();
  const outcome: Outcome = { starts: 0, removals: 0, starved: 0, counts: [], instanceSeconds: 0 };
  let own: InstanceView[] = [];
  let steadySince = 0;
  for (let now = 0; now < durationMs; now += STEP_MS) {
    const all = load(now);
    if (all !== load(now - STEP_MS)) steadySince = now;
    own = serving(own, all, target.concurrency, now);
    const waiting = all - own.reduce((sum, { inFlight }) => sum + inFlight, 0);
    if (waiting > 0 && now - steadySince > LOAD_MS + 2 * STEP_MS) outcome.starved += 1;
    const free = Array.from({ length: 30 }, (_, i) => instance(`${now}-${i}`, { readyAt: 0, seenAt: 0, lastUsedAt: now }));
    const demand = new Map(all > 0 ? [["a", { waiting, inFlight: all - waiting, oldestWaitMs: waiting > 0 ? now - steadySince : 0 }]] : []);
    const seen = world({ now, pools: [pool], functions: [target], instances: [...own, ...free], demand });
    const { actions } = decide({ ...seen, windowScales: windows.observe(seen) });
    own = acted(own, actions, now, outcome);
    outcome.counts.push(own.length);
    outcome.instanceSeconds += (own.length * STEP_MS) / 1000;
  }
  return outcome;
}

/** The instances with `load` invocations on them, as far as they have room. */
function serving(own: readonly InstanceView[], load: number, concurrency: number, now: number): InstanceView[] {
  let rest = load;
  return own.map((one) => {
    const state = one.state === "specializing" && now - one.specializedAt >= LOAD_MS ? "warm" : one.state;
    const inFlight = state === "warm" ? Math.min(rest, concurrency) : 0;
    rest -= inFlight;
    return { ...one, state, inFlight, lastUsedAt: inFlight > 0 ? now : one.lastUsedAt };
  });
}

/** The instances after these actions, which `outcome` counts. */
function acted(own: readonly InstanceView[], actions: readonly Action[], now: number, outcome: Outcome): InstanceView[] {
  const ordered = actions.flatMap((action) => (action.kind === "specialize" ? [action.instance] : []));
  const gone = new Set(actions.flatMap((action) => (action.kind === "remove" && action.instance.functionUid ? [action.instance.uid] : [])));
  if (own.some(({ uid, inFlight }) => gone.has(uid) && inFlight > 0)) throw new Error("an instance with running invocations was removed");
  outcome.starts += ordered.length;
  outcome.removals += gone.size;
  const loading = { state: "specializing" as const, functionUid: "a", revision: "r1", boundTo: "a", boundRevision: "r1", specializedAt: now };
  return [...own.filter(({ uid }) => !gone.has(uid)), ...ordered.map((one) => ({ ...one, ...loading }))];
}
