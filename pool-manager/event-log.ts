import type { Logger } from "pino";
import type { PoolEvent } from "./pool/events.ts";

/** An event with the time at which it was emitted, in ISO 8601. */
export type TimedEvent = PoolEvent & { time: string };

type Notice = Omit<Extract<PoolEvent, { type: "store.notice" }>, "type">;

/** Log levels of events that an operator should see, and of those that end such a state; all others are debug lines. */
const LEVELS: Partial<Record<PoolEvent["type"], "warn" | "info">> = {
  "instance.load-failed": "warn",
  "instance.crashed": "warn",
  "instance.out-of-memory": "warn",
  "revision.crash-loop": "warn",
  "instance.swap-failed": "warn",
  "instance.obstructed": "warn",
  "action.failed": "warn",
  "action.recovered": "info",
  "instance.kept": "info",
  "budget.exhausted": "warn",
  "pool.resized": "info",
  "observation.doubted": "warn",
  "manager.stalled": "warn",
  "router.silent": "warn",
  "router.heard": "info",
  "router.forgotten": "warn",
  "rollout.stopped": "warn",
};

export interface EventLogOptions {
  /** Counts each event. */
  count(event: PoolEvent): void;
  log: Logger;
}

/** The part of the stores that the event log needs, once they are open. */
export interface EventStores {
  /** The name of a function; undefined if it is deleted. */
  nameOf(functionUid: string): string | undefined;
  /** Reports an event where the stores keep theirs. */
  report(event: PoolEvent): void;
}

/** Counts, streams, reports and logs the events of the pools. */
export class EventLog {
  readonly #options: EventLogOptions;
  readonly #listeners = new Set<(event: TimedEvent) => void>();
  #stores: EventStores | null = null;

  constructor(options: EventLogOptions) {
    this.#options = options;
  }

  /** Accepts events from now on; those of the start before that are dropped, since nobody can follow them. */
  open(stores: EventStores): void {
    this.#stores = stores;
  }

  readonly emit = (event: PoolEvent): void => {
    if (!this.#stores) return;
    const { count, log } = this.#options;
    const named = withName(event, this.#stores);
    count(named);
    // A further try of an action that fails already is counted, and is no news.
    if (named.type === "action.failed" && named.again) return;
    if (this.#listeners.size > 0) for (const listener of this.#listeners) listener({ time: new Date().toISOString(), ...named });
    this.#stores.report(named);
    log[LEVELS[named.type] ?? "debug"](named);
  };

  /** Emits a notice of a store, which has logged it already. */
  readonly notice = (notice: Notice): void => this.emit({ type: "store.notice", ...notice });

  /** Calls `listener` with each event from now on; the result ends that. */
  follow(listener: (event: TimedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Users know functions by name, decisions by uid. */
function withName(event: PoolEvent, { nameOf }: EventStores): PoolEvent {
  if (!("function" in event) || event.function === null) return event;
  return { ...event, function: nameOf(event.function) ?? event.function };
}
