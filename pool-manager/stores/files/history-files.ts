import { join } from "node:path";
import { type FileOps, realFiles } from "../../async/atomic-file.ts";
import type { PoolHistory } from "../../pool/history/pool-history.ts";
import { type HistoryStore, readHistory, writeHistory } from "../../pool/history/stored-history.ts";
import { FileSet } from "./file-set.ts";
import type { SetAside } from "./set-aside.ts";

/** A pool with a claim in every ten seconds of an hour and every minute of a day takes 200 kB, and each busy function 20 kB. */
const MAX_BYTES = 1024 * 1024;
const SUFFIX = ".json";

/** Stores what each pool has recorded of claims as a file in `history/`. */
export class HistoryFiles implements HistoryStore {
  readonly everyMs = 30_000;
  readonly #files: FileSet;
  /** Files that could not be loaded; their pools begin a new history. */
  readonly damaged: SetAside[] = [];

  constructor(stateDir: string, ops: FileOps = realFiles) {
    this.#files = new FileSet(join(stateDir, "history"), 0o600, ops);
  }

  async load(): Promise<Map<string, PoolHistory>> {
    const { found, damaged } = await this.#files.readAll((name, text) => {
      if (!name.endsWith(SUFFIX)) throw new Error("its name is not that of a history");
      return readHistory(text);
    });
    this.damaged.push(...damaged);
    return new Map([...found].map(([name, history]) => [name.slice(0, -SUFFIX.length), history]));
  }

  save(pool: string, history: PoolHistory): Promise<void> {
    return this.#files.write(`${pool}${SUFFIX}`, writeHistory(history, MAX_BYTES));
  }
}
