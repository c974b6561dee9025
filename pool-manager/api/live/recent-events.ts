import type { TimedEvent } from "../../event-log.ts";

/** An event with a number that increases by one with each. */
export type NumberedEvent = TimedEvent & { seq: number };

const MAX_EVENTS = 300;
/** Events that accompany every start: they would push out what somebody looks for. */
const ROUTINE = new Set<TimedEvent["type"]>(["instance.creating", "instance.loaded", "instance.prewarmed", "instance.gone", "budget.exhausted"]);

/** The latest events, for a page that is opened after they happened. */
export class RecentEvents {
  readonly #events: NumberedEvent[] = [];
  #seq = 0;

  add(event: TimedEvent): void {
    if (ROUTINE.has(event.type)) return;
    this.#events.push({ ...event, seq: ++this.#seq });
    if (this.#events.length > MAX_EVENTS) this.#events.shift();
  }

  /** Number of the latest event. */
  get seq(): number {
    return this.#seq;
  }

  /** The kept events after a number, oldest first. */
  after(seq: number): NumberedEvent[] {
    return this.#events.filter((event) => event.seq > seq);
  }
}
