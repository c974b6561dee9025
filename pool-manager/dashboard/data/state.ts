import type { OverviewChanges, OverviewSnapshot, OverviewStatus } from "../../api/live/overview.ts";
import type { NumberedEvent } from "../../api/live/recent-events.ts";
import type { FunctionRow, InstanceRow, PoolRow } from "../../api/live/rows.ts";

export type Message = OverviewSnapshot | OverviewChanges;

/** `key`: the API requires a key, or another one than was presented. */
export type Connection = { is: "connecting" } | { is: "live" } | { is: "lost"; reason: string } | { is: "key"; reason: string };

/** The state that the page shows. Every change makes a new one, and leaves unchanged rows as they are. */
export interface State {
  connection: Connection;
  /** Null before the first snapshot. */
  status: OverviewStatus | null;
  pools: ReadonlyMap<string, PoolRow>;
  functions: ReadonlyMap<string, FunctionRow>;
  instances: ReadonlyMap<string, InstanceRow>;
  /** Newest first. */
  events: readonly NumberedEvent[];
  /** The pool manager's clock, and the page's at the time of its message. */
  clock: { now: number; at: number };
}

const MAX_EVENTS = 500;

export const EMPTY: State = {
  connection: { is: "connecting" },
  status: null,
  pools: new Map(),
  functions: new Map(),
  instances: new Map(),
  events: [],
  clock: { now: 0, at: 0 },
};

/** `at`: the page's clock, in milliseconds. */
export function apply(state: State, message: Message, at: number): State {
  const { status, now } = message;
  const common = { connection: { is: "live" } as const, status, clock: { now, at } };
  if (message.type === "snapshot") {
    const { pools, functions, instances, events } = message;
    return { ...common, pools: byId(pools), functions: byId(functions), instances: byId(instances), events: [...events].reverse() };
  }
  const { pools, functions, instances } = message;
  // The snapshot may have had some of them already.
  const latest = state.events[0]?.seq ?? 0;
  const events = (message.events ?? []).filter(({ seq }) => seq > latest);
  return {
    ...common,
    pools: changed(state.pools, pools),
    functions: changed(state.functions, functions),
    instances: changed(state.instances, instances),
    events: events.length === 0 ? state.events : [...events.reverse(), ...state.events].slice(0, MAX_EVENTS),
  };
}

function byId<Row extends { id: string }>(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.id, row]));
}

function changed<Row extends { id: string }>(rows: ReadonlyMap<string, Row>, change: { set: Row[]; gone: string[] } | undefined): ReadonlyMap<string, Row> {
  if (!change) return rows;
  const next = new Map(rows);
  for (const id of change.gone) next.delete(id);
  for (const row of change.set) next.set(row.id, row);
  return next;
}

/** How an instance is drawn: its state, `busy` for a warm one with invocations, `swapping` while its image is swapped. */
export type Look = "starting" | "prewarmed" | "specializing" | "swapping" | "warm" | "busy" | "draining" | "failed" | "obstructed";

export const LOOKS: readonly Look[] = ["prewarmed", "starting", "specializing", "swapping", "warm", "busy", "draining", "obstructed", "failed"];

/**
 * | state        | obstacle | binding | in flight | look         |
 * |--------------|----------|---------|-----------|--------------|
 * | failed       | any      | any     | any       | failed       |
 * | any other    | yes      | any     | any       | obstructed   |
 * | draining     | no       | any     | any       | draining     |
 * | any other    | no       | yes     | any       | swapping     |
 * | warm         | no       | no      | some      | busy         |
 * | any other    | no       | no      | any       | the state    |
 *
 * A starting pod is obstructed for a moment by what it waits for: it is drawn as starting.
 */
export function lookOf({ state, obstacle, binding, inFlight }: Pick<InstanceRow, "state" | "obstacle" | "binding" | "inFlight">): Look {
  if (state === "failed") return "failed";
  if (obstacle !== null && !(state === "starting" && obstacle === "pending")) return "obstructed";
  if (state === "draining") return "draining";
  if (binding) return "swapping";
  if (state === "warm" && inFlight > 0) return "busy";
  return LOOKS.includes(state as Look) ? (state as Look) : "starting";
}

/** In the order in which they were created, so that no instance moves while it lives. */
export function instancesOf(instances: ReadonlyMap<string, InstanceRow>, pool: string): InstanceRow[] {
  const own = [...instances.values()].filter((row) => row.pool === pool);
  return own.sort((a, b) => a.createdMs - b.createdMs || (a.id < b.id ? -1 : 1));
}

export function countLooks(rows: readonly InstanceRow[]): Map<Look, number> {
  const counts = new Map<Look, number>();
  for (const row of rows) counts.set(lookOf(row), (counts.get(lookOf(row)) ?? 0) + 1);
  return counts;
}
