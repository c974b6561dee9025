import { gunzipSync, gzipSync } from "node:zlib";
import type { PoolHistory } from "../../../pool/history/pool-history.ts";
import { type HistoryStore, readHistory, writeHistory } from "../../../pool/history/stored-history.ts";
import { MAX_HISTORY } from "../definitions/crds.ts";
import type { StoreNotice } from "../notices.ts";

/** Bytes of a history before compression. */
const MAX_BYTES = 512 * 1024;
const LEAST_BYTES = 1024;

/** The statuses of pools, as far as histories need them. */
export interface HistoryStatuses {
  /** The stored text of each pool that has one. */
  histories(): Map<string, string>;
  /** Resolves without a write if the pool has no resource, or the text is stored already. */
  writeHistory(pool: string, text: string): Promise<void>;
}

/** Stores what each pool has recorded of claims in the status of its resource, compressed, and seldom: each write reaches all watchers. */
export class PoolHistories implements HistoryStore {
  readonly everyMs = 600_000;
  readonly #statuses: HistoryStatuses;
  readonly #notice: (notice: StoreNotice) => void;

  constructor(statuses: HistoryStatuses, notice: (notice: StoreNotice) => void) {
    this.#statuses = statuses;
    this.#notice = notice;
  }

  async load(): Promise<Map<string, PoolHistory>> {
    const found = new Map<string, PoolHistory>();
    for (const [pool, text] of this.#statuses.histories()) {
      try {
        found.set(pool, decompressed(text));
      } catch (error) {
        const message = `status.claims of the pool ${pool} cannot be read, and a new history begins: ${(error as Error).message}`;
        this.#notice({ topic: "damaged", kind: "Pool", count: 1, message });
      }
    }
    return found;
  }

  save(pool: string, history: PoolHistory): Promise<void> {
    return this.#statuses.writeHistory(pool, compressed(history));
  }
}

function compressed(history: PoolHistory): string {
  for (let most = MAX_BYTES; ; most /= 2) {
    const text = gzipSync(writeHistory(history, most), { level: 9 }).toString("base64");
    if (text.length <= MAX_HISTORY || most <= LEAST_BYTES) return text;
  }
}

/** Throws if the text is damaged, or larger than any that Berth writes. */
function decompressed(text: string): PoolHistory {
  return readHistory(gunzipSync(Buffer.from(text, "base64"), { maxOutputLength: MAX_BYTES }).toString("utf8"));
}
