import type { StatisticsPoint } from "../../statistics/slots.ts";

export type { InvokeAnswer as Answer } from "../../api/live/invocation-proxy.ts";
export type { NumberedEvent } from "../../api/live/recent-events.ts";
export type { FunctionRow, InstanceRow, PoolRow } from "../../api/live/rows.ts";
export type { StatisticsView } from "../../statistics/slots.ts";

/** What of `GET /v1/functions/NAME` the page shows. */
export interface FunctionDetail {
  name: string;
  uid: string;
  runtime: string;
  revision: string;
  url: string | null;
  signature: string | null;
  timeout: string;
  concurrency: number;
  minScale: number;
  maxScale: number;
  idleTimeout: string;
  queueDepth: number;
  queueTimeout: string;
  split: Record<string, number>;
  aliases: Record<string, string>;
  rolling: Rollout | null;
  problems: string[];
}

export interface Rollout {
  from: string;
  to: string;
  state: string;
  step: string;
  steps: string[];
  watching: boolean;
  percent: number;
  reason: string | null;
  startedAt: string;
}

/** What of `GET /v1/pools/NAME/advice` the page shows. */
export interface PoolAdvice {
  claims: number;
  recommended: number;
  sizes: SizeOutcome[];
  functions: { name: string; claims: number; misses: number; share: number }[];
  text: string[];
}

/** What one size would have been; `hit` is a share, null without claims. */
export interface SizeOutcome {
  size: number;
  hit: number | null;
  instanceSeconds: number;
}

/** Why a pool that sizes itself has its size. */
export interface PoolSizing {
  reason: string;
}

export interface RevisionDetail {
  id: string;
  active: boolean;
  createdAt: string;
  code: string;
  env: Record<string, string>;
  secrets: string[];
}

export interface Course {
  slotSeconds: number;
  points: StatisticsPoint[];
}

export interface LogLine {
  time: string;
  instance: string;
  stream: string;
  callId: string | null;
  message: string;
}
