import type { Static } from "typebox";
import type { FunctionAdviceView, PoolAdviceView } from "./advice.ts";
import type { DeployResult, FunctionView, LoadResult, LogLine, PoolView, RevisionView, RolloutView } from "./schemas.ts";

/**
 * Types of the manage API's answers, for its clients: the commands and the dashboard. They follow from the schemas that are
 * published and checked, so that no client describes an answer anew.
 */
export type FunctionAnswer = Static<typeof FunctionView>;
export type DeployAnswer = Static<typeof DeployResult>;
export type LoadAnswer = Static<typeof LoadResult>;
export type RevisionAnswer = Static<typeof RevisionView>;
export type RolloutAnswer = Static<typeof RolloutView>;
export type PoolAnswer = Static<typeof PoolView>;
export type PoolAdviceAnswer = Static<typeof PoolAdviceView>;
export type FunctionAdviceAnswer = Static<typeof FunctionAdviceView>;
export type LogLineAnswer = Static<typeof LogLine>;
