/** How often the streams are checked. */
const CHECK_INTERVAL_MS = 500;

/** A stream on which data is expected regularly. */
export interface WatchedStream {
  /** Records that data has arrived. */
  heard(): void;
  /** The stream's silence as of the last check: a stall of this process does not add to it. */
  readonly quietMs: number;
  /** The stream's silence until now: accurate only if all received data has been read, as in a setImmediate. */
  readonly sinceHeardMs: number;
  /** Stops watching the stream. */
  end(): void;
}

interface Entry {
  heardAt: number;
  limitMs: number;
  onSilent: () => void;
}

/** Detects silent streams: a peer that is gone or partitioned does not always close its connection. */
export class SilenceDetector {
  readonly #now: () => number;
  readonly #entries = new Set<Entry>();
  #checkedAt: number;

  /** `now` returns milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#checkedAt = now();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Calls `onSilent` once when nothing has arrived for `limitMs`, and then stops watching the stream. */
  watch(limitMs: number, onSilent: () => void): WatchedStream {
    const entry: Entry = { heardAt: this.#now(), limitMs, onSilent };
    this.#entries.add(entry);
    const quietMs = () => Math.max(0, this.#checkedAt - entry.heardAt);
    const sinceHeardMs = () => this.#now() - entry.heardAt;
    return {
      heard: () => {
        entry.heardAt = this.#now();
      },
      get quietMs() {
        return quietMs();
      },
      get sinceHeardMs() {
        return sinceHeardMs();
      },
      end: () => this.#entries.delete(entry),
    };
  }

  check(): void {
    this.#checkedAt = this.#now();
    for (const entry of [...this.#entries]) {
      if (this.#checkedAt - entry.heardAt < entry.limitMs) continue;
      this.#entries.delete(entry);
      entry.onSilent();
    }
  }
}

let shared: SilenceDetector | null = null;

/** The process-wide detector: one timer for all streams. */
export function silenceDetector(): SilenceDetector {
  if (shared) return shared;
  const all = new SilenceDetector(() => performance.now());
  // setImmediate runs after the poll phase, which reads what arrived during a stall of this process: that was no silence of the peers.
  setInterval(() => setImmediate(() => all.check()), CHECK_INTERVAL_MS).unref();
  shared = all;
  return all;
}
