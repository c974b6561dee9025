import { PeriodicTask } from "../../../async/periodic-task.ts";
import type { FunctionRecord, Secrets } from "../../../functions/function.ts";
import { isKept } from "./secret-encoding.ts";

/** How often it is looked whether the Secrets are still as they were written. */
const CHECK_INTERVAL_MS = 10_000;

interface Held {
  record: FunctionRecord;
  secrets: Secrets;
}

export interface SecretUpkeepOptions {
  /** Functions as they are known here, without those that are just being written: another object each time that one changes. */
  functions(): Iterable<Held>;
  /** What is kept now, by uid of the function. */
  kept(): Promise<ReadonlyMap<string, Secrets>>;
  write(held: Held): Promise<void>;
  /** Told once that it fails, and null once it has succeeded again. */
  onTrouble(message: string | null): void;
}

/** Writes again the Secrets of functions that somebody has deleted or changed: without them a restart would lose their values. */
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
    // One that was written meanwhile may be listed as it was before, or known as it was before.
    for (const held of functions()) if (before.has(held) && !isKept(held.record, held.secrets, found.get(held.record.uid))) await write(held);
  }
}
