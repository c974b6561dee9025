import type { Endpoint } from "../../pool-manager/client/contract.ts";

/**
 * A router's view of one instance. Slots are counted by instance, not by endpoint: while a new
 * revision takes over, invocations on the old worker still count.
 */
export interface Slot {
  readonly instanceUid: string;
  /** Null once the instance gets no new invocations; it stays until its last one has ended. */
  endpoint: Endpoint | null;
  inFlight: number;
  /** Not picked before this time: the instance refused an invocation or could not be reached. */
  blockedUntil: number;
  /** When an invocation last began or ended here, or when the instance appeared. */
  usedAt: number;
  /** When its endpoint appeared: an invocation that arrived earlier has waited for the instance's start. */
  since: number;
  /** Its code is known to have loaded: the table says so, or the instance has answered an invocation, which this router may learn first. */
  loaded: boolean;
  /** Where the invocations in flight here are counted from now on. */
  moved: { release(slot: Slot): void; slot: Slot } | null;
}

/** A slot that is taken on an instance. Only the first `release` counts. */
export class Reservation {
  readonly slot: Slot;
  readonly endpoint: Endpoint;
  readonly #onRelease: (slot: Slot) => void;
  #isReserved = true;

  constructor(slot: Slot, endpoint: Endpoint, onRelease: (slot: Slot) => void) {
    this.slot = slot;
    this.endpoint = endpoint;
    this.#onRelease = onRelease;
  }

  get loaded(): boolean {
    return this.endpoint.loaded || (this.#current && this.slot.loaded);
  }

  /** Records that the function has answered. */
  answered(): void {
    if (this.#current) this.slot.loaded = true;
  }

  get #current(): boolean {
    const now = this.slot.endpoint;
    return now !== null && now.epoch === this.endpoint.epoch && now.bootId === this.endpoint.bootId;
  }

  release(): void {
    if (!this.#isReserved) return;
    this.#isReserved = false;
    this.#onRelease(this.slot);
  }
}
