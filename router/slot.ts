import type { Endpoint } from "../pool-manager/client/contract.ts";

/**
 * What a router knows of one instance. Slots are counted by instance, not by endpoint: while a new
 * revision takes over, invocations on the old worker still count.
 */
export interface Slot {
  readonly instanceUid: string;
  /** Null once the instance gets no new invocations; it stays until its last one has ended. */
  endpoint: Endpoint | null;
  inFlight: number;
  /** Not picked before: it refused or could not be reached. */
  blockedUntil: number;
  /** When an invocation last began or ended, or when it appeared. */
  usedAt: number;
  /** When its endpoint appeared: who waited before that has had a start. */
  since: number;
}

/** A slot taken on an instance. Exactly one `release` counts. */
export class Reservation {
  readonly slot: Slot;
  readonly endpoint: Endpoint;
  readonly #onRelease: (slot: Slot) => void;
  #held = true;

  constructor(slot: Slot, endpoint: Endpoint, onRelease: (slot: Slot) => void) {
    this.slot = slot;
    this.endpoint = endpoint;
    this.#onRelease = onRelease;
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#onRelease(this.slot);
  }
}
