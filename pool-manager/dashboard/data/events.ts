import type { NumberedEvent } from "../../api/live/recent-events.ts";

const FAILED = new Set<NumberedEvent["type"]>([
  "instance.load-failed",
  "instance.crashed",
  "revision.crash-loop",
  "instance.swap-failed",
  "order.refused",
  "action.failed",
  "instance.obstructed",
  "observation.doubted",
  "router.silent",
  "manager.stalled",
  "rollout.stopped",
]);

export function isFailure(event: NumberedEvent): boolean {
  return FAILED.has(event.type) || (event.type === "cluster.trouble" && event.message !== null);
}

/** Fields that are shown in columns of their own. */
const SHOWN = new Set(["type", "time", "seq", "pool", "instance", "function", "message"]);

/** The function's name, or null. */
export function functionOf(event: NumberedEvent): string | null {
  return "function" in event ? event.function : null;
}

/** The part of an event that has no column: its message, then its other fields. */
export function detailOf(event: NumberedEvent): string {
  const message = "message" in event && event.message ? [event.message] : [];
  const others = Object.entries(event).filter(([name, value]) => !SHOWN.has(name) && value !== null && value !== false);
  const words = others.map(([name, value]) => (name === "ms" ? `${Math.round(Number(value))} ms` : `${name} ${String(value)}`));
  return [...message, words.join(" · ")].filter((text) => text !== "").join(" — ");
}

/** Whether an event has a word of the filter in any of its fields. */
export function matches(event: NumberedEvent, filter: string): boolean {
  const wanted = filter.trim().toLowerCase();
  return wanted === "" || JSON.stringify(event).toLowerCase().includes(wanted);
}
