import type { StartKind } from "../../client/contract.ts";

/** An instance's last load order. */
export interface StartRecord {
  kind: StartKind;
  /** Time from the order to its observed acceptance; 0 before. */
  claimMs: number;
  epoch: number;
  /** When the order was decided. */
  at: number;
  functionUid: string;
}

/** The kind and the duration of instances' starts. */
export class Starts {
  readonly #starts = new Map<string, StartRecord>();
  /** Moving average of the time from an instance's creation until it is prewarmed. */
  expectedMs = 500;

  ordered(uid: string, start: Omit<StartRecord, "claimMs">): void {
    this.#starts.set(uid, { ...start, claimMs: 0 });
  }

  /** The instance's echo shows this epoch: sets the claim's duration. */
  accepted(uid: string, epoch: number, now: number): void {
    const start = this.#starts.get(uid);
    if (start && start.epoch === epoch && start.claimMs === 0) start.claimMs = now - start.at;
  }

  of(uid: string): StartRecord | undefined {
    return this.#starts.get(uid);
  }

  /** Adds to the average the time that an instance took until it was prewarmed. */
  learn(ms: number): void {
    this.expectedMs += (ms - this.expectedMs) / 8;
  }

  forget(uid: string): void {
    this.#starts.delete(uid);
  }
}
