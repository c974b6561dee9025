import type { StartKind } from "../../client/contract.ts";

/** What is remembered of an instance's last load order. */
export interface StartRecord {
  kind: StartKind;
  /** Until the order was seen to be accepted; 0 before. */
  claimMs: number;
  epoch: number;
  /** When its load order was decided. */
  at: number;
  functionUid: string;
}

/** How instances were started, and how long that takes. */
export class Starts {
  readonly #starts = new Map<string, StartRecord>();
  /** Moving average of the time that a new instance took until it was prewarmed. */
  expectedMs = 500;

  ordered(uid: string, start: Omit<StartRecord, "claimMs">): void {
    this.#starts.set(uid, { ...start, claimMs: 0 });
  }

  /** The instance's echo shows this epoch: from its order to here is the time of the claim. */
  accepted(uid: string, epoch: number, now: number): void {
    const start = this.#starts.get(uid);
    if (start && start.epoch === epoch && start.claimMs === 0) start.claimMs = now - start.at;
  }

  of(uid: string): StartRecord | undefined {
    return this.#starts.get(uid);
  }

  /** A new instance took this long until it was prewarmed. */
  learn(ms: number): void {
    this.expectedMs += (ms - this.expectedMs) / 8;
  }

  forget(uid: string): void {
    this.#starts.delete(uid);
  }
}
