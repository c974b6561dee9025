import type { Clock } from "../async/clock.ts";
import type { ResourceBounds } from "../functions/manifest/resources.ts";
import type { FunctionRegistry } from "../functions/registry.ts";
import type { Platform } from "../platform/platform.ts";
import type { Schedules } from "../schedules/schedules.ts";
import type { Decision, Pace, PoolSpec, World } from "./decide/world.ts";
import type { PoolEventListener } from "./events.ts";
import type { IdlePlanner } from "./idling/idle-planner.ts";

/** Dependencies of the reconciler. */
export interface ReconcilerOptions {
  platform: Platform;
  functions: FunctionRegistry;
  /** `observe` is told in each round which pools have instances. */
  pools: { list(): PoolSpec[]; observe?(populated: ReadonlySet<string>): void };
  /** The most that a function can have here; absent or null: it is not known. */
  bounds?: ResourceBounds | null;
  /** Bytes of a function layer. */
  layer(digest: string): Promise<Uint8Array>;
  clock: Clock;
  pace: Pace;
  /** Leadership term that load orders carry. */
  term: number;
  onEvent: PoolEventListener;
  /** Plans of functions whose idle timeout is auto; absent: they are idle for the standard time. */
  idling?: Pick<IdlePlanner, "hear" | "planOf" | "expecting">;
  /** Why a runtime has no instances, by its name; absent: each has. */
  unavailable?: ReadonlyMap<string, string>;
  /** Schedules of pools and functions; absent: functions have none. */
  schedules?: Pick<Schedules, "activeOf" | "dueInMs">;
  /** Called after each decision with what it saw. */
  onDecided?(world: World, decision: Decision): void;
}
