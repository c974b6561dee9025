/** A guard taken away: one place in one file, found by its text and replaced. */
export interface Mutant {
  name: string;
  file: string;
  find: string;
  replace: string;
  /** Faults that this guard is there for, made more frequent. */
  odds?: Record<string, number>;
}

/** Every one of these must be caught by the simulation's invariants; docs/invariants.md says by which. */
export const MUTANTS: Mutant[] = [
  {
    name: "an instance takes an order of any epoch",
    file: "runtime-images/protocol/instance.ts",
    find: 'if (order.epoch !== this.#epoch) return "epoch";',
    replace: "",
    odds: { "call duplicated": 0.1 },
  },
  {
    name: "an instance takes an order of an earlier boot",
    file: "runtime-images/protocol/instance.ts",
    find: 'if (order.bootId !== this.bootId) return "boot";',
    replace: "",
    odds: { "rogue order": 1, "order of an older boot": 1 },
  },
  {
    name: "an instance takes a second function",
    file: "runtime-images/protocol/instance.ts",
    find: 'return order.functionUid === this.#functionUid ? null : "function";',
    replace: "return null;",
  },
  {
    name: "an accepted order does not raise the epoch",
    file: "runtime-images/protocol/instance.ts",
    find: "this.#epoch += 1;",
    replace: "",
  },
  {
    name: "code that does not load leaves the instance as it is",
    file: "runtime-images/protocol/instance.ts",
    find: 'this.#state = "failed";\n      return true;',
    replace: "return true;",
    odds: { "code throws": 0.4 },
  },
  {
    name: "a worker does not look at the function of a request",
    file: "runtime-images/protocol/admission.ts",
    find: "functionUid === this.#functionUid && revision === this.#revision",
    replace: "revision === this.#revision",
  },
  {
    name: "a worker does not look at the revision of a request",
    file: "runtime-images/protocol/admission.ts",
    find: "functionUid === this.#functionUid && revision === this.#revision",
    replace: "functionUid === this.#functionUid",
    odds: { "invocation misrouted": 0.6 },
  },
  {
    name: "a worker runs one more than its concurrency",
    file: "runtime-images/protocol/admission.ts",
    find: "if (this.#running >= this.#concurrency)",
    replace: "if (this.#running > this.#concurrency)",
    odds: { "invocation misrouted": 0.3 },
  },
  {
    name: "a finished invocation does not give its place back",
    file: "runtime-images/protocol/admission.ts",
    find: "this.#running -= 1;",
    replace: "",
  },
  {
    name: "a slot is released twice",
    file: "router/limiter/slot.ts",
    find: "this.#onRelease(this.slot);",
    replace: "this.#onRelease(this.slot);\n    if (this.slot.inFlight > 1) this.#onRelease(this.slot);",
  },
  {
    name: "a slot is not released",
    file: "router/limiter/slots.ts",
    find: "slot.inFlight -= 1;",
    replace: "",
  },
  {
    name: "what is in flight is not adopted",
    file: "router/limiter/slots.ts",
    find: "to.inFlight += slot.inFlight;",
    replace: "",
    odds: { "event dropped": 0.1 },
  },
  {
    name: "a reserved slot is not counted",
    file: "router/limiter/slots.ts",
    find: "slot.inFlight += 1;",
    replace: "",
  },
  {
    name: "a queue has no time limit",
    file: "router/limiter/limiter.ts",
    find: "if (!head || now - head.arrivedAt < this.#fn.queueTimeoutMs)",
    replace: "if (!head || now - head.arrivedAt < 60_000)",
    odds: { "call slow": 0.3 },
  },
  {
    name: "a queue has no depth",
    file: "router/limiter/limiter.ts",
    find: "if (this.#queue.length >= this.#fn.queueDepth)",
    replace: "if (this.#queue.length >= 100_000)",
  },
  {
    name: "nothing wakes the queue when an instance has rested",
    file: "router/limiter/limiter.ts",
    find: "at = Math.min(at, Math.max(blockedUntil, avoided?.get(instanceUid) ?? 0));",
    replace: "void blockedUntil;",
    odds: { "invocation misrouted": 0.3 },
  },
  {
    name: "an invocation whose connection broke is sent again",
    file: "router/proxy/retry.ts",
    find: 'failure.kind !== "broken" && ',
    replace: "",
  },
  {
    name: "the budget of deletions is not kept",
    file: "pool-manager/pool/decide/plan.ts",
    find: "if (this.#budget <= 0)",
    replace: "if (this.#budget <= -100)",
  },
  {
    name: "deletions are decided on an observation that is not complete",
    file: "pool-manager/pool/decide/decide.ts",
    find: "if (!world.synced) return { actions: [], throttled: [], recheckAfterMs: null };",
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
    find: "if (this.#scheduled || this.#closed || !this.#started) return;",
    replace: "if (this.#scheduled || this.#closed) return;",
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
