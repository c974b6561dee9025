import { PeriodicTask } from "../../../async/periodic-task.ts";
import type { FunctionRecord, Secrets } from "../../../functions/function.ts";
import { isKept } from "./secret-encoding.ts";

/** How often the Secrets are compared with the known values. */
const CHECK_INTERVAL_MS = 10_000;

interface Held {
  record: FunctionRecord;
  secrets: Secrets;
}

export interface SecretUpkeepOptions {
  /** The known functions, without those that are being written; a changed function is another object. */
  functions(): Iterable<Held>;
  /** Reads the kept values by the uid of their function. */
  kept(): Promise<ReadonlyMap<string, Secrets>>;
  write(held: Held): Promise<void>;
  /** Reports why a check fails, once for each change of the reason, and null once one succeeds. */
  onTrouble(message: string | null): void;
}

/** Restores deleted or edited Secrets of functions: without them a restart would lose their values. */
export class SecretUpkeep {
  readonly #options: SecretUpkeepOptions;
  readonly #checks: PeriodicTask;

  constructor(options: SecretUpkeepOptions) {
    this.#options = options;
    this.#checks = new PeriodicTask(() => this.#check(), CHECK_INTERVAL_MS, options.onTrouble);
  }

  start(): void {
    this.#checks.start();
  }

  close(): void {
    this.#checks.close();
  }

  async #check(): Promise<void> {
    const { functions, kept, write } = this.#options;
    const before = new Set(functions());
    if (![...before].some(({ record, secrets }) => !isKept(record, secrets, undefined))) return;
    const found = await kept();
    // Functions that changed during the listing are skipped: the listing may show their former Secret.
    for (const held of functions()) if (before.has(held) && !isKept(held.record, held.secrets, found.get(held.record.uid))) await write(held);
  }
}
