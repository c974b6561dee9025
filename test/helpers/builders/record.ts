import type { FunctionRecord, RolloutPolicy } from "../../../pool-manager/functions/function.ts";

export const policy: RolloutPolicy = { steps: [1, "50%"], intervalMs: 1000, parallel: 2, maxErrors: 5 };

/** The record of a function whose second revision was deployed with this rollout policy. */
export const record = (change: Partial<FunctionRecord> = {}): FunctionRecord => ({
  uid: "u",
  name: "f",
  runtime: "node",
  createdAt: "",
  active: "r1",
  latest: "r2",
  traffic: { split: {}, aliases: { a: "r1" } },
  nextRevision: 3,
  scaling: { minScale: 0, maxScale: 20, idleTimeoutMs: 300_000, queueDepth: 1000, queueTimeoutMs: 30_000 },
  rolloutPolicy: policy,
  rollout: null,
  history: [],
  revisions: [],
  ...change,
});
