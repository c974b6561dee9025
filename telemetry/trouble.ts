import type { Signal } from "./signals.ts";

/** The line of the log when the collector accepts nothing any more, or (null) accepts it again. The code is in docs/telemetry.md. */
export function troubleLine(signal: Signal, endpoint: string | null, message: string | null): string {
  const collector = endpoint === null ? "the collector" : `the collector at ${endpoint}`;
  if (message === null) return `${collector} accepts ${signal} again`;
  return `COLLECTOR_AWAY: ${collector} accepts no ${signal}, and they are dropped until it does: ${message}`;
}
