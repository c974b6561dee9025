import { Type } from "typebox";
import { BUCKETS } from "../../client/latency-buckets.ts";

/** Bounded so that sums stay exact; Infinity, NaN or a negative count would corrupt a sum for good. */
const Count = Type.Integer({ minimum: 0, maximum: 2 ** 40 });
const Ms = Type.Number({ minimum: 0, maximum: 2 ** 40 });
const Key = Type.String({ minLength: 1, maxLength: 512 });

const Use = Type.Object({ uid: Key, inFlight: Count, idleMs: Ms });

const Demand = Type.Object({
  key: Key,
  revision: Type.String({ maxLength: 512 }),
  waiting: Count,
  inFlight: Count,
  oldestWaitMs: Ms,
  ended: Count,
  failed: Count,
  countedMs: Type.Optional(Ms),
  instances: Type.Array(Use, { maxItems: 100_000 }),
});

const Usage = Type.Object({
  uid: Key,
  invocations: Count,
  failed: Count,
  starts: Type.Array(Count, { maxItems: 8 }),
  phases: Type.Array(Type.Array(Count, { maxItems: 2 * BUCKETS }), { maxItems: 8 }),
});

/** The schema of a `DemandReport`. Fields of a later version are ignored. */
export const DemandBody = Type.Object({
  router: Type.String({ minLength: 1, maxLength: 64 }),
  seq: Type.Integer({ minimum: 0 }),
  functions: Type.Array(Demand, { maxItems: 100_000 }),
  suspects: Type.Array(Type.Object({ uid: Key, bootId: Key, reason: Type.Enum(["timeout", "unreachable"]) }), { maxItems: 100_000 }),
  usage: Type.Optional(Type.Array(Usage, { maxItems: 10_000 })),
  leaving: Type.Optional(Type.Boolean()),
  mark: Type.Optional(Type.Integer({ minimum: 0 })),
});
