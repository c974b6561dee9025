import { Type } from "typebox";
import { PATTERNS } from "../../functions/manifest/field-fault.ts";
import { WarmField } from "../../schedules/field.ts";
import type { AutoSize, PoolSpec } from "../decide/world.ts";

/** The largest accepted `max` of a pool. */
export const MAX_INSTANCES = 5000;
/** The largest accepted budget: a million actions a day. */
const MAX_ACTIONS = 1_000_000;
const MAX_WINDOW_MS = 86_400_000;

/** The size of a pool that sizes itself. */
export const AUTO = "auto";
export const DEFAULT_TARGET_HIT = 0.99;
export const DEFAULT_MIN = 1;

/** The fields of a pool that the API and its custom resource can set. */
export const PoolFields = Type.Object(
  {
    size: Type.Optional(
      Type.Union([Type.Integer({ minimum: 0, maximum: MAX_INSTANCES }), Type.Literal(AUTO)], {
        description: "Instances kept free; auto: as many as the recorded claims need for targetHit, between min and max.",
      }),
    ),
    targetHit: Type.Optional(
      Type.Number({
        description: "With size auto: share of the claims that find a free instance.",
        minimum: 0.5,
        maximum: 0.9999,
        default: DEFAULT_TARGET_HIT,
      }),
    ),
    min: Type.Optional(Type.Integer({ description: "With size auto: the least size.", minimum: 0, maximum: MAX_INSTANCES, default: DEFAULT_MIN })),
    max: Type.Optional(Type.Integer({ description: "All instances of the pool.", minimum: 1, maximum: MAX_INSTANCES })),
    idleMemory: Type.Optional(
      Type.Union([Type.String({ pattern: PATTERNS.bytes, maxLength: 32 }), Type.Null()], {
        description:
          'Memory that instances without an invocation may take together, such as "4Gi"; null: not limited. It bounds what Berth keeps by itself: free instances beyond min, instances by schedules, idle and expected instances of functions.',
      }),
    ),
    budget: Type.Optional(
      Type.Object(
        { actions: Type.Integer({ minimum: 1, maximum: MAX_ACTIONS }), windowMs: Type.Integer({ minimum: 100, maximum: MAX_WINDOW_MS }) },
        { description: "Most deletions and in-place changes within a window.", additionalProperties: false },
      ),
    ),
    partition: Type.Optional(
      Type.Integer({ description: "Percent of the instances that keep a former version of the runtime after an upgrade.", minimum: 0, maximum: 100 }),
    ),
    paused: Type.Optional(Type.Boolean({ description: "Nothing is deleted and nothing changed in place." })),
    warm: Type.Optional(WarmField),
  },
  { additionalProperties: false },
);

/** The settings of a pool that a request changes. */
export type PoolChange = Partial<
  Pick<PoolSpec, "max" | "budget" | "partition" | "paused" | "warm"> & AutoSize & { size: number | typeof AUTO; idleMemory: string | null }
>;
