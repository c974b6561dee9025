import { Type } from "typebox";

const Text = Type.Array(Type.String(), { description: "In words, one sentence each." });

/** The last decision of a pool that sizes itself. */
export const SizingView = Type.Object(
  {
    at: Type.String({ description: "When it was decided." }),
    wanted: Type.Integer({ description: "The size that the recorded claims need, within min, max and idleMemory; chosenSize approaches it." }),
    refills: Type.Integer({ description: "Refills that run concurrently." }),
    refillMs: Type.Number({ description: "Time from a claim until its replacement is prewarmed." }),
    reason: Type.String({ description: "Why, in words." }),
  },
  { description: "Why the pool has its size; null if the size is fixed." },
);

export const AdviceQuery = Type.Object(
  {
    window: Type.Optional(Type.Union([Type.Literal("1h"), Type.Literal("24h")], { description: "The window that is replayed; 1h if absent.", default: "1h" })),
  },
  { additionalProperties: false },
);

const Recorded = {
  window: Type.String(),
  since: Type.String({ description: "When recording began; the window has no more than that." }),
  seconds: Type.Integer({ description: "Seconds of the window that were recorded." }),
  claims: Type.Integer({ description: "Claims of instances from the pool, by when they came." }),
  hits: Type.Integer({ description: "Claims that took a prewarmed instance." }),
  misses: Type.Integer({ description: "Claims that waited for an instance." }),
  dispersion: Type.Number({ description: "Variance over mean of the claims in each bucket; 1: independent, more: bursts." }),
  instanceMb: Type.Number({ description: "Assumed memory of an instance in MB, for memorySeconds." }),
};
const Cost = {
  instanceSeconds: Type.Number({ description: "Seconds that instances would have been kept." }),
  memorySeconds: Type.Number({ description: "The same in MB·s." }),
};
const Share = Type.Union([Type.Number(), Type.Null()]);

export const PoolAdviceView = Type.Object({
  pool: Type.String(),
  ...Recorded,
  targetHit: Type.Number({ description: "The share of hits that the recommendation is for." }),
  size: Type.Integer({ description: "Instances kept free now." }),
  refillMs: Type.Number(),
  refills: Type.Integer({ description: "Refills that are assumed to run concurrently." }),
  recommended: Type.Integer({ description: "The least size that reaches targetHit, at most max and what idleMemory allows." }),
  sizes: Type.Array(
    Type.Object({
      size: Type.Integer(),
      hits: Type.Integer({ description: "Claims that would have found a free instance." }),
      hit: Share,
      ...Cost,
    }),
    { description: "What the window would have been at each size from 0 to max; evenly spread sizes if there are more than 500." },
  ),
  functions: Type.Array(Type.Object({ name: Type.String(), claims: Type.Integer(), misses: Type.Integer(), share: Type.Number() }), {
    description: "The functions with the most claims.",
  }),
  text: Text,
});

export const FunctionAdviceView = Type.Object({
  function: Type.String(),
  ...Recorded,
  minScale: Type.Integer(),
  concurrency: Type.Integer(),
  recommended: Type.Integer({ description: "The recommended minScale." }),
  scales: Type.Array(
    Type.Object({
      minScale: Type.Integer(),
      starts: Type.Integer({ description: "Starts that would have been needed still." }),
      avoided: Share,
      ...Cost,
    }),
    { description: "What the window would have been with each minScale from the present one on." },
  ),
  recommendedConcurrency: Type.Union([Type.Integer(), Type.Null()], {
    description: "The least concurrency that needs hardly more than a higher one, for invocations that mostly wait; null if none was seen to run.",
  }),
  concurrencies: Type.Array(
    Type.Object({
      concurrency: Type.Integer(),
      peak: Type.Integer({ description: "The most instances that were needed at a time." }),
      busySeconds: Type.Number({ description: "Seconds of instances with at least one invocation, if each is filled before the next." }),
    }),
    { description: "What the invocations of the window would have needed with other concurrencies; empty if none was seen to run." },
  ),
  text: Text,
});

/** Pairs of one type: TypeBox writes tuples as JSON Schema did before 2020, which OpenAPI 3.1 does not allow. */
const Weights = Type.Array(Type.Array(Type.Number(), { minItems: 2, maxItems: 2 }), {
  description: "Pairs: a level of missing instances, and the claims at it.",
});
const ClaimWindow = Type.Object({ seconds: Type.Number(), claims: Type.Integer(), dispersion: Type.Number(), depths: Weights });
const State = {
  size: Type.Integer(),
  belowSince: Type.Union([Type.Number(), Type.Null()]),
  changedAt: Type.Union([Type.Number(), Type.Null()]),
};

export const SizingDecisions = Type.Object({
  items: Type.Array(
    Type.Object({
      inputs: Type.Object({
        at: Type.Number(),
        elapsedMs: Type.Number(),
        min: Type.Integer(),
        max: Type.Integer(),
        scheduled: Type.Union([Type.Object({ instances: Type.Integer(), text: Type.String() }), Type.Null()], {
          description: "The schedule in force, which raises min; null: none was.",
        }),
        memory: Type.Union([Type.Object({ limit: Type.Number(), instance: Type.Number(), reserved: Type.Number() }), Type.Null()], {
          description: "idleMemory, what an instance counts as, and what those of minScale take, in bytes; null: no limit was set.",
        }),
        targetHit: Type.Number(),
        state: Type.Object(State),
        refillMs: Type.Number(),
        refills: Type.Object({ least: Type.Integer(), most: Type.Integer() }),
        recent: ClaimWindow,
        hour: ClaimWindow,
      }),
      decision: Type.Object({ ...State, wanted: Type.Integer(), refills: Type.Integer(), reason: Type.String() }),
    }),
    { description: "The last decisions that changed the size, and the last one; the inputs alone give the decision." },
  ),
});

/** The limit `idleMemory` of a pool, how much of it is taken, and the free instances that fit. */
export const IdleMemoryView = Type.Object(
  {
    limitBytes: Type.Integer({ description: "idleMemory." }),
    usedBytes: Type.Integer({ description: "Of free instances, and of those that have had no invocation for ten seconds, at what an instance counts as." }),
    instanceBytes: Type.Integer({ description: "What an instance counts as whose function has no memory limit." }),
    minScaleBytes: Type.Integer({ description: "Of the instances of minScale, which are kept in any case." }),
    freeAllowed: Type.Integer({ description: "The number of free instances that fit." }),
  },
  { description: "What idleMemory allows; null: it is not set." },
);

/** The schedule that holds for a pool or a function. */
export const ScheduledView = Type.Object(
  {
    schedule: Type.String({ description: "As it was set." }),
    instances: Type.Integer(),
    from: Type.String({ description: "When its window begins; instances are kept from somewhat earlier on." }),
    until: Type.Union([Type.String(), Type.Null()], { description: "When its window ends; null: no end is near." }),
    text: Type.String({ description: "In words." }),
  },
  { description: "The schedule in force; null: none is." },
);

/** The averages of a function's windows. */
export const WindowsView = Type.Object({
  stable: Type.Number({ description: "Average concurrency of the active revision over the window." }),
  panic: Type.Number({ description: "The same over the window's last tenth." }),
  panicking: Type.Boolean({ description: "True while a sudden rise keeps instances from being removed." }),
  wanted: Type.Integer({ description: "Instances that the windows want, without minScale and maxScale." }),
});

/** A function's decision on idle instances. */
export const IdlingView = Type.Object({
  pauseMs: Type.Integer({ description: "How long after its last invocation an instance is loaded again; 0: it is kept from the beginning." }),
  keepMs: Type.Integer({ description: "How long after its last invocation it has an instance." }),
  reason: Type.String({ description: "Why, in words." }),
});

export const IdleDecisions = Type.Object({
  items: Type.Array(
    Type.Object({
      inputs: Type.Object({
        bins: Type.Array(Type.Array(Type.Integer(), { minItems: 2, maxItems: 2 }), {
          description: "Pairs: minutes of idle time, and how many idle times were as long.",
        }),
        beyond: Type.Integer({ description: "Longer idle times." }),
        standardMs: Type.Integer({ description: "How long an idle instance is kept while too few idle times are known." }),
        worthMs: Type.Integer({ description: "How long an instance may be idle for each start that this avoids." }),
      }),
      decision: IdlingView,
    }),
    { description: "The decision in force with everything that it depended on; empty: idleTimeout is fixed." },
  ),
});
