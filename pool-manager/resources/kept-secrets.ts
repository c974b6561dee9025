import type { FunctionRecord, Secrets } from "../functions/function.ts";

/** How often it is looked whether the Secrets are still there. Milliseconds. */
const LOOK_EVERY_MS = 10_000;

interface Held {
  record: FunctionRecord;
  secrets: Secrets;
}

export interface KeptSecretsOptions {
  /** Functions as they are known here. */
  functions(): Iterable<Held>;
  /** Uids of the functions that have a Secret now. */
  kept(): Promise<ReadonlySet<string>>;
  write(held: Held): Promise<void>;
  /** Told once that it fails, and null once it has succeeded again. */
  onTrouble(message: string | null): void;
}

/** Writes again the Secrets of functions that somebody has deleted: without them a restart would lose their values. */
export class KeptSecrets {
  readonly #options: KeptSecretsOptions;
  #timer: NodeJS.Timeout | null = null;
  #isTold = false;

  constructor(options: KeptSecretsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setTimeout(() => void this.#look().finally(() => this.#timer && this.start()), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #look(): Promise<void> {
    const functions = [...this.#options.functions()].filter(hasValues);
    if (functions.length === 0) return;
    try {
      const kept = await this.#options.kept();
      for (const held of functions) if (!kept.has(held.record.uid)) await this.#options.write(held);
      this.#tell(null);
    } catch (error) {
      this.#tell((error as Error).message);
    }
  }

  #tell(message: string | null): void {
    if ((message !== null) === this.#isTold) return;
    this.#isTold = message !== null;
    this.#options.onTrouble(message);
  }
}

function hasValues({ record, secrets }: Held): boolean {
  return record.revisions.some(({ id, secretNames }) => secretNames.length > 0 && secrets[id] !== undefined);
}
