import type { PlatformError } from "../../platform/platform.ts";
import type { ReconcilerOptions } from "../options.ts";
import { type Incident, Incidents } from "./incidents.ts";

type Subject = Pick<Incident, "action" | "pool" | "functionUid">;

/** Reports outcomes of actions. Every failure is an event; `again` is false if the action begins to fail or its reason changes. */
export class Attempts {
  readonly incidents = new Incidents();
  readonly #options: Pick<ReconcilerOptions, "clock" | "onEvent">;

  constructor(options: Pick<ReconcilerOptions, "clock" | "onEvent">) {
    this.#options = options;
  }

  failed(subject: Subject, error: unknown): void {
    const { clock, onEvent } = this.#options;
    const { message } = error as Error;
    const reason = (error as Partial<PlatformError>).code ?? "ERROR";
    const { action, pool, functionUid } = subject;
    const isNew = this.incidents.failed(subject, reason, message, clock.now());
    onEvent({ type: "action.failed", action, pool, function: functionUid, reason, message, again: !isNew });
  }

  succeeded(subject: Subject): void {
    const incident = this.incidents.succeeded(subject);
    if (!incident) return;
    const { action, pool, functionUid, failures, since } = incident;
    this.#options.onEvent({ type: "action.recovered", action, pool, function: functionUid, failures, ms: this.#options.clock.now() - since });
  }
}

/** The backoff after `failures` failures: it doubles from `firstMs` up to `longestMs`. */
export function doubled(firstMs: number, failures: number, longestMs: number): number {
  return Math.min(firstMs * 2 ** Math.max(0, failures - 1), longestMs);
}
