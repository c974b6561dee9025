/** How the invocations of one revision ended, since it became the limiter's. */
export class Outcomes {
  #ended = 0;
  #failed = 0;
  #since: number;

  /** Times are in milliseconds. */
  constructor(now: number) {
    this.#since = now;
  }

  count(failed: boolean): void {
    this.#ended += 1;
    if (failed) this.#failed += 1;
  }

  /** Another revision's invocations are counted from now on. */
  restart(now: number): void {
    this.#ended = 0;
    this.#failed = 0;
    this.#since = now;
  }

  report(now: number): { ended: number; failed: number; countedMs: number } {
    return { ended: this.#ended, failed: this.#failed, countedMs: now - this.#since };
  }
}

/** Tells of each change of demand, and whether it is urgent: somebody waits or has waited, or another number of instances is wanted. */
export class DemandChanges {
  readonly #changed: (urgent: boolean) => void;
  /** Instances that the last change asked for. */
  #asked = 1;
  /** Some waited at the last change. */
  #waited = false;

  constructor(changed: (urgent: boolean) => void) {
    this.#changed = changed;
  }

  tell(waiting: number, inFlight: number, concurrency: number): void {
    const wanted = Math.max(1, Math.ceil((waiting + inFlight) / concurrency));
    const urgent = waiting > 0 || this.#waited || wanted !== this.#asked;
    this.#asked = wanted;
    this.#waited = waiting > 0;
    this.#changed(urgent);
  }
}
