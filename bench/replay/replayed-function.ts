import type { FunctionRecord } from "../../pool-manager/functions/function.ts";
import { STANDARD_IDLE_MS } from "../../pool-manager/functions/manifest/idle-timeout.ts";
import { POOL } from "./fleet.ts";
import type { Policy } from "./policy.ts";

const CREATED_AT = "2026-01-01T00:00:00.000Z";

/** The record of a function of a trace, with one revision. */
export function recordOf(name: string, { idleTimeoutMs }: Policy, { concurrency, max }: { concurrency: number; max: number }): FunctionRecord {
  const settings = { entry: "index.mjs", handler: null, signature: null, concurrency, timeoutMs: 60_000 };
  const revision = { id: "r1", hash: "", createdAt: CREATED_AT, layer: "", image: "", settings, loadTimeoutMs: 10_000, env: {}, secretNames: [] };
  const idle = idleTimeoutMs === null ? { idleTimeoutMs: STANDARD_IDLE_MS, idleAuto: true } : { idleTimeoutMs };
  return {
    uid: name,
    name,
    runtime: POOL,
    createdAt: CREATED_AT,
    active: "r1",
    latest: "r1",
    traffic: { split: {}, aliases: {} },
    nextRevision: 2,
    scaling: { minScale: 0, maxScale: max, ...idle, queueDepth: 1_000_000, queueTimeoutMs: 600_000 },
    rolloutPolicy: null,
    rollout: null,
    history: ["r1"],
    revisions: [{ ...revision, activatedAt: CREATED_AT }],
  };
}
