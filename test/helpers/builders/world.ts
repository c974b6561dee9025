import type { Action, InstanceView, Pace, PoolSpec, RevisionTarget, World } from "../../../pool-manager/pool/decide/world.ts";
import { createdInstance } from "../../../pool-manager/pool/observe/world-builder.ts";

/** A world to decide in, at rest unless a test says otherwise: a pool of two, at most six, without instances. */
export const POOL: PoolSpec = { name: "node", runtime: "node", size: 2, max: 6, budget: { actions: 3, windowMs: 1000 }, partition: 0, paused: false };
export const NOW = 100_000;
export const PACE: Pace = {
  urgent: 4,
  refill: 1,
  refillDelayMs: 0,
  startTimeoutMs: 10_000,
  lostAfterMs: 5000,
  bindDelayMs: 0,
  bindAfterMs: 0,
};

export function fn(uid: string, change: Partial<RevisionTarget> = {}): RevisionTarget {
  const base = {
    key: uid,
    uid,
    active: true,
    pool: "node",
    revision: "r1",
    concurrency: 1,
    minScale: 0,
    maxScale: 5,
    idleTimeoutMs: 5000,
    windowScaling: null,
    timeoutMs: 1000,
    blockedUntil: 0,
    takesOver: null,
    isAwaited: false,
    byImage: false,
  };
  return { ...base, ...change };
}

export function instance(uid: string, change: Partial<InstanceView> = {}): InstanceView {
  return { ...createdInstance(uid, "node", 1000), bootId: `boot-${uid}`, state: "prewarmed", readyAt: 2000, lastUsedAt: NOW, ...change };
}

export const warm = (uid: string, functionUid: string, change: Partial<InstanceView> = {}) =>
  instance(uid, { state: "warm", epoch: 1, functionUid, revision: "r1", boundTo: functionUid, boundRevision: "r1", ...change });

export function world(change: Partial<World>): World {
  return {
    now: NOW,
    synced: true,
    pools: [POOL],
    functions: [],
    unknownFunctions: new Map(),
    instances: [],
    demand: new Map(),
    windowScales: new Map(),
    isolated: false,
    expectedCreations: new Map(),
    disruptions: new Map(),
    pace: PACE,
    ...change,
  };
}

export const waiting = (uid: string, count = 1, ms = 10) => new Map([[uid, { waiting: count, inFlight: 0, oldestWaitMs: ms }]]);
export const kinds = (actions: Action[]) =>
  actions.map((action) => (action.kind === "remove" ? `remove ${action.instance.uid}: ${action.reason}` : action.kind));
