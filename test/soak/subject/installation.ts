import type { PoolEvent } from "../../../pool-manager/pool/events.ts";
import type { Act } from "../acts/act.ts";
import type { History } from "../history.ts";
import type { BerthProcess } from "./berth-process.ts";
import type { Routers } from "./routers.ts";

/** A running Berth with all that a soak does to it: on processes of this machine, or on a cluster. */
export interface Installation {
  readonly routers: Routers;
  /** An address of this machine that functions reach. */
  readonly host: string;
  /** The URL of a pool manager that is alive and not paused, as far as is known. */
  manageUrl(): string;
  /** Faults. */
  acts(): Act[];
  processes(): { of: string; process: BerthProcess }[];
  /** Pods or processes of instances that there are. */
  places(): Promise<number>;
  /** Digests of the code images that are kept. */
  images(): Promise<string[]>;
  /** How long the present leader has led, in milliseconds. */
  ledMs(): number;
  /** Ends everything; resolves with what could not be ended, in words. */
  close(): Promise<string[]>;
}

/** Options of the pool managers of every soak: all events in the log, and a pool that is small enough to be exhausted. */
export const POOL_SIZE = 2;
export const POOL_MAX = 14;
export const MANAGER_FLAGS = ["--pool-size", String(POOL_SIZE), "--pool-max", String(POOL_MAX), "--no-example", "--log-level", "debug"];

/** Writes the events in a pool manager's log down. */
export function eventReader(history: History, manager: string): (line: string) => void {
  return (line) => {
    if (!line.startsWith("{") || !line.includes('"type":"')) return;
    try {
      const { time: at, type, ...event } = JSON.parse(line) as { time: number; type: string };
      if (/^(instance|order|action|budget|observation|rollout|function|image|store)\./.test(type)) {
        history.add({ at, type: "event", manager, event: { type, ...event } as PoolEvent });
      }
    } catch {
      // A process that is killed leaves half a line.
    }
  };
}
