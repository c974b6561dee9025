import type { Logger } from "pino";
import type { PoolEvent } from "./pool/events.ts";

/** An event with the time at which it was emitted, in ISO 8601. */
export type TimedEvent = PoolEvent & { time: string };

/** Log levels of events that an operator should see, and of those that end such a state; all others are debug lines. */
const LEVELS: Partial<Record<PoolEvent["type"], "warn" | "info">> = {
  "instance.load-failed": "warn",
  "instance.crashed": "warn",
  "revision.crash-loop": "warn",
  "instance.swap-failed": "warn",
  "instance.obstructed": "warn",
  "action.failed": "warn",
  "action.recovered": "info",
  "instance.kept": "info",
  "budget.exhausted": "warn",
  "observation.doubted": "warn",
  "manager.stalled": "warn",
  "router.silent": "warn",
  "router.heard": "info",
  "router.forgotten": "warn",
  "rollout.stopped": "warn",
};

export interface EventLogOptions {
  /** The name of a function; undefined if it is deleted. */
  nameOf(functionUid: string): string | undefined;
  /** Counts each event. */
  count(event: PoolEvent): void;
  /** Reports an event where the stores keep theirs. */
  report(event: PoolEvent): void;
  log: Logger;
}

/** Counts, streams, reports and logs the events of the pools. */
export class EventLog {
  readonly #options: EventLogOptions;
  readonly #listeners = new Set<(event: TimedEvent) => void>();

  constructor(options: EventLogOptions) {
    this.#options = options;
  }

  emit(event: PoolEvent): void {
    const { count, report, log } = this.#options;
    const named = this.#named(event);
    count(named);
    // A further try of an action that fails already is counted, and is no news.
    if (named.type === "action.failed" && named.again) return;
    if (this.#listeners.size > 0) for (const listener of this.#listeners) listener({ time: new Date().toISOString(), ...named });
    report(named);
    log[LEVELS[named.type] ?? "debug"](named);
  }

  /** Calls `listener` with each event from now on; the result ends that. */
  follow(listener: (event: TimedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Users know functions by name, decisions by uid. */
  #named(event: PoolEvent): PoolEvent {
    if (!("function" in event) || event.function === null) return event;
    return { ...event, function: this.#options.nameOf(event.function) ?? event.function };
  }
}
