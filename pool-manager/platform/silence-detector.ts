/** How often the streams are looked at. */
const CHECK_INTERVAL_MS = 500;

/** A stream on which something should come again and again. */
export interface WatchedStream {
  /** Something has come. */
  heard(): void;
  /**
   * How long nothing had come when the streams were last looked at: not more because of a moment in which this process
   * was held up. Milliseconds.
   */
  readonly quietMs: number;
  /** How long nothing has come, by now: true where whatever came has been read, as in a setImmediate. Milliseconds. */
  readonly sinceHeardMs: number;
  /** It is looked at no more. */
  end(): void;
}

interface Entry {
  heardAt: number;
  limitMs: number;
  onSilent: () => void;
}

/** Streams whose silence means that their peer is gone or cut off: no end of a connection tells of that. */
export class SilenceDetector {
  readonly #now: () => number;
  readonly #entries = new Set<Entry>();
  #checkedAt: number;

  /** `now` in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#checkedAt = now();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** `onSilent` is called once when nothing has come for `limitMs`; after that the stream is not looked at again. */
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

/** Those of this process: one timer for all streams. */
export function silenceDetector(): SilenceDetector {
  if (shared) return shared;
  const all = new SilenceDetector(() => performance.now());
  // What came while this process was held up is read first, between the timers and this: it is no silence of the peers.
  setInterval(() => setImmediate(() => all.check()), CHECK_INTERVAL_MS).unref();
  shared = all;
  return all;
}
