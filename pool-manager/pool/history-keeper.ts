import type { HistoryStore } from "./history/stored-history.ts";
import type { PoolSizer } from "./pool-sizer.ts";

/** Loads what was recorded before this process started, and saves what is recorded, at intervals and at the end. */
export class HistoryKeeper {
  readonly #store: HistoryStore;
  readonly #sizer: PoolSizer;

  constructor(store: HistoryStore, sizer: PoolSizer) {
    this.#store = store;
    this.#sizer = sizer;
  }

  get everyMs(): number {
    return this.#store.everyMs;
  }

  async load(): Promise<void> {
    for (const [pool, history] of await this.#store.load()) this.#sizer.restore(pool, history);
  }

  /** Saves the pools with claims, a chosen size or idle times. Rejects with the first failure, after all have been tried. */
  async save(): Promise<void> {
    const due = [...this.#sizer.recorder.pools].filter(([, { hasClaims, chosen, idle }]) => chosen !== null || hasClaims || idle.size > 0);
    const results = await Promise.allSettled(due.map(([pool, history]) => this.#store.save(pool, history)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  }
}
