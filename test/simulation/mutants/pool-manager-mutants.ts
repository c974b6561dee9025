import type { Mutant } from "./mutant.ts";

/** Guards of the pool manager. */
export const POOL_MANAGER_MUTANTS: Mutant[] = [
  {
    name: "the budget of deletions is not kept",
    file: "pool-manager/pool/decide/plan.ts",
    find: "if (this.#budget <= 0)",
    replace: "if (this.#budget <= -100)",
  },
  {
    name: "deletions are decided on an observation that is not complete",
    file: "pool-manager/pool/decide/decide.ts",
    find: "if (!world.synced) return { actions: [], unmet: [], throttled: [], recheckAfterMs: null };",
    replace: "",
    odds: { "observation unsynced": 0.6 },
  },
  {
    name: "a failed instance is not removed",
    file: "pool-manager/pool/decide/decide.ts",
    find: 'if (instance.state === "failed") return "failed";',
    replace: "",
  },
  {
    name: "the instances of a deleted function are not removed",
    file: "pool-manager/pool/decide/decide.ts",
    find: 'if (end === "deleted") return "deleted-function";',
    replace: "",
  },
  {
    name: "what a predecessor drained is not removed",
    file: "pool-manager/pool/decide/decide.ts",
    find: 'if (instance.state === "gone" || instance.state === "draining") return "drained";',
    replace: "",
    odds: { "manager restarted": 1, "instance killed": 0, "worker crashed": 0, "instance restarted": 0, "observation unsynced": 0 },
  },
  {
    name: "instances that never finish starting are kept",
    file: "pool-manager/pool/decide/decide.ts",
    find: 'return hasNotStarted(instance, plan.world) ? "start-timeout" : null;',
    replace: "return null;",
  },
  {
    name: "the platform counts neither what has come since the decision nor the pool's max",
    file: "pool-manager/platform/platform.ts",
    find: "Math.min(more - own.filter(({ uid }) => !seen.has(uid)).length, pool.max - own.length)",
    replace: "more",
    odds: { "call duplicated": 0.3 },
  },
  {
    name: "a removal that failed is not tried again",
    file: "pool-manager/pool/act/removals.ts",
    find: "clock.after(this.#leaving.failed(uid, clock.now()), this.#changed);",
    replace: "",
  },
  {
    name: "ages count from before a pool manager's time",
    file: "pool-manager/pool/observe/world-builder.ts",
    find: "lastUsedAt: Math.max(use.lastUsedAt, specializedAt, instance.seenAt)",
    replace: "lastUsedAt: Math.max(use.lastUsedAt, specializedAt, instance.createdAt)",
    odds: { "manager restarted": 1 },
  },
  {
    name: "a pool manager acts before its first complete view",
    file: "pool-manager/pool/reconciler.ts",
    find: "if (!this.#closed && this.#started) this.#stepSoon();",
    replace: "if (!this.#closed) this.#stepSoon();",
    odds: { "manager restarted": 1, "instance unheard": 0.5 },
  },
  {
    name: "a bound instance that was not heard yet is removed",
    file: "pool-manager/pool/decide/liveness.ts",
    find: "return now - Math.max(obstacle.since, lastUsedAt) > pace.startTimeoutMs;",
    replace: "return true;",
    odds: { "manager restarted": 1, "instance unheard": 0.5 },
  },
  {
    name: "the instances of a function that is not listed yet are removed",
    file: "pool-manager/pool/decide/decide.ts",
    find: 'return end === "unused" ? "orphaned" : null;',
    replace: 'return end === undefined ? null : "orphaned";',
    odds: { "manager restarted": 1, "function not listed yet": 0.5 },
  },
  {
    name: "what a router that is not heard may use counts as idle",
    file: "pool-manager/pool/observe/world-builder.ts",
    find: "unsure: use.unsure || nobodyKnows(instance, known),",
    replace: "unsure: false,",
    odds: { "router cut off": 1 },
  },
  {
    name: "instances that have heard of a later term are kept",
    file: "pool-manager/pool/act/executor.ts",
    find: 'if (answer.refusal === "term" && this.#fenced.refused(uid)) this.#silent.add(uid);',
    replace: "",
    odds: { "manager restarted": 1, "terms from a backup": 0.8, "instance killed": 0, "worker crashed": 0, "instance restarted": 0 },
  },
];
