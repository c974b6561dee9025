import type { PoolAdviceAnswer } from "../../api/schemas/answers.ts";
import type { StatisticsPoint } from "../../statistics/slots.ts";

export type { InvokeAnswer as Answer } from "../../api/live/invocation-proxy.ts";
export type { NumberedEvent } from "../../api/live/recent-events.ts";
export type { FunctionRow, InstanceRow, PoolRow } from "../../api/live/rows.ts";
export type {
  DeployAnswer,
  FunctionAdviceAnswer,
  FunctionAnswer,
  LoadAnswer,
  LogLineAnswer,
  PoolAdviceAnswer,
  PoolAnswer,
  RevisionAnswer,
  RolloutAnswer,
} from "../../api/schemas/answers.ts";
export type { StatisticsView } from "../../statistics/slots.ts";

/** The outcome of one size; `hit` is a share, null without claims. */
export type SizeAnswer = Pick<PoolAdviceAnswer["sizes"][number], "size" | "hit" | "instanceSeconds">;

export interface Course {
  slotSeconds: number;
  points: StatisticsPoint[];
}
