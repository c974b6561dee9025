import pLimit from "p-limit";
import type { Logger } from "pino";
import type { FunctionRecord, Revision } from "./functions/function.ts";
import type { FunctionRegistry } from "./functions/registry.ts";
import { byRelease } from "./functions/rollout.ts";
import type { Platform, PreparedCode } from "./platform/platform.ts";

/** Number of functions whose code is read concurrently at a start: each needs file descriptors, and memory for its layers. */
const AT_ONCE = 8;

export interface CodePreparerOptions {
  functions: Pick<FunctionRegistry, "byUid" | "poolOf">;
  /** Bytes of a function layer. */
  layer(digest: string): Promise<Uint8Array>;
  platform: Pick<Platform, "prepareCode">;
  log: Pick<Logger, "error">;
}

/** Gives the platform the code of functions before their first invocation. */
export class CodePreparer {
  readonly #options: CodePreparerOptions;
  #closed = false;

  constructor(options: CodePreparerOptions) {
    this.#options = options;
  }

  /** Prepares all functions at a start, a few at a time. Functions with the same code are adjacent, so that it is read once. */
  async all(records: readonly FunctionRecord[]): Promise<void> {
    const layerOf = (record: FunctionRecord) => byRelease(record)[0]?.layer ?? "";
    const byLayer = records.map((record) => ({ record, layer: layerOf(record) })).sort((a, b) => (a.layer < b.layer ? -1 : 1));
    await pLimit(AT_ONCE).map(byLayer, ({ record }) => this.one(record));
  }

  /** Never rejects. */
  async one(record: FunctionRecord): Promise<void> {
    const { functions, platform, log } = this.#options;
    const isCurrent = () => !this.#closed && functions.byUid(record.uid) === record;
    if (!isCurrent()) return;
    try {
      const codes = await Promise.all(byRelease(record).map((revision) => this.#codeOf(record, revision)));
      if (isCurrent()) platform.prepareCode(codes as [PreparedCode, ...PreparedCode[]]);
    } catch (error) {
      log.error({ err: error, function: record.name }, "code could not be prepared");
    }
  }

  /** Stops all further preparation. */
  close(): void {
    this.#closed = true;
  }

  async #codeOf(record: FunctionRecord, revision: Revision): Promise<PreparedCode> {
    const { id, image, layer, settings } = revision;
    const { functions, layer: read } = this.#options;
    const pool = functions.poolOf(record, revision);
    return { functionUid: record.uid, pool, revision: id, image, digest: layer, entry: settings.entry, layer: await read(layer) };
  }
}
