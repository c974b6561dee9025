import { PeriodicTask } from "../async/periodic-task.ts";
import type { FunctionRegistry } from "../functions/registry.ts";
import type { Schedules } from "../schedules/schedules.ts";
import { Advisor } from "./advisor.ts";
import type { Pace } from "./decide/world.ts";
import type { PoolEvent } from "./events.ts";
import type { HistoryStore } from "./history/stored-history.ts";
import { HistoryKeeper } from "./history-keeper.ts";
import { IdlePlanner } from "./idling/idle-planner.ts";
import { PoolSizer } from "./pool-sizer.ts";
import type { Pools } from "./pools.ts";

export interface SizingOptions {
  pools: Pools;
  functions: Pick<FunctionRegistry, "byUid" | "poolOf">;
  schedules: Schedules;
  store: HistoryStore;
  pace: Pace;
  instanceMb: number;
  onEvent(event: PoolEvent): void;
  /** Reports once that histories cannot be loaded or saved, and null once they can. */
  onTrouble(message: string | null): void;
}

/** The parts that record claims and idle times, size pools, plan for idle functions and give advice. */
export interface SizingParts {
  sizer: PoolSizer;
  advisor: Advisor;
  planner: IdlePlanner;
  schedules: Schedules;
  /** Ends the saving, after a last one. */
  close(): Promise<void>;
}

/** Loads the recorded claims, and applies the sizes that were chosen last before anything is decided. */
export async function openSizing({ pools, functions, schedules, store, pace, instanceMb, onEvent, onTrouble }: SizingOptions): Promise<SizingParts> {
  const wall = Date.now;
  const sizer = new PoolSizer({ pools, pace, wall, onEvent });
  schedules.learnFrom((pool) => sizer.refillOf(pool));
  const keeper = new HistoryKeeper(store, sizer);
  // Pools are served without their history too.
  await keeper.load().catch((error: Error) => onTrouble(error.message));
  sizer.sizeAll();
  const { recorder } = sizer;
  const planner = new IdlePlanner({
    historyOf: (pool, now) => recorder.of(pool, now),
    histories: () => recorder.pools.values(),
    recordOf: (uid) => functions.byUid(uid),
    wall,
  });
  planner.resume();
  const saving = new PeriodicTask(() => keeper.save(), keeper.everyMs, onTrouble);
  saving.start();
  return {
    sizer,
    planner,
    schedules,
    advisor: new Advisor({ sizer, schedules, functions, wall, instanceMb }),
    async close() {
      saving.close();
      await keeper.save().catch((error: Error) => onTrouble(error.message));
    },
  };
}
