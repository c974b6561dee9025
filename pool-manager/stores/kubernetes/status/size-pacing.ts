import { Backoff } from "../../../async/backoff.ts";
import { isTooLarge } from "../resource-client.ts";

/** The pause after the first refusal; it doubles each time. */
const FIRST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 300_000;

interface Refused {
  error: unknown;
  backoff: Backoff;
  until: number;
}

/** Holds back writes that were refused for their size: a retry in the next round sends as many bytes to be refused again. */
export class SizePacing {
  readonly #refused = new Map<string, Refused>();

  /** Writes the status of `key`; during its pause rejects with the error of the last write instead. */
  async write(key: string, write: () => Promise<unknown>): Promise<void> {
    const refused = this.#refused.get(key);
    if (refused && performance.now() < refused.until) throw refused.error;
    try {
      await write();
      this.#refused.delete(key);
    } catch (error) {
      const backoff = refused?.backoff ?? new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
      if (isTooLarge(error)) this.#refused.set(key, { error, backoff, until: performance.now() + backoff.next() });
      else this.#refused.delete(key);
      throw error;
    }
  }

  /** Forgets what is no longer there. */
  retain(keys: ReadonlySet<string>): void {
    for (const key of this.#refused.keys()) if (!keys.has(key)) this.#refused.delete(key);
  }
}
