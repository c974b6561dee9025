import { PeriodicTask } from "../../../async/periodic-task.ts";
import type { SecretValues } from "./function-secrets.ts";

/** A Secret that a function names is looked at so often, or less where there are many of them. */
const CHECK_INTERVAL_MS = 10_000;
const TICK_MS = 1000;
const MAX_LOOKS = 5;

export interface SecretWatchOptions {
  read(name: string): Promise<SecretValues | null>;
  /** Functions by the Secret that they name. */
  references(): ReadonlyMap<string, readonly string[]>;
  /** The state of its Secret that a function has. */
  taken(functionName: string): string | undefined;
  /** Another state of its Secret is there than the function has. */
  changed(functionName: string): void;
  /** Told once that it fails, and null once it has succeeded again. */
  onTrouble(message: string | null): void;
}

/** Looks at the Secrets that functions name, a few each second: a role that may watch them would see all of the namespace's. */
export class SecretWatch {
  readonly #options: SecretWatchOptions;
  readonly #seen = new Map<string, { at: number; version: string | null }>();
  readonly #ticks: PeriodicTask;

  constructor(options: SecretWatchOptions) {
    this.#options = options;
    this.#ticks = new PeriodicTask(() => this.#tick(), TICK_MS, options.onTrouble);
  }

  start(): void {
    this.#ticks.start();
  }

  close(): void {
    this.#ticks.close();
  }

  async #tick(): Promise<void> {
    const references = this.#options.references();
    for (const name of this.#seen.keys()) if (!references.has(name)) this.#seen.delete(name);
    const now = performance.now();
    const checkedAt = (name: string) => this.#seen.get(name)?.at ?? Number.NEGATIVE_INFINITY;
    const due = [...references.keys()].filter((name) => now - checkedAt(name) >= CHECK_INTERVAL_MS).sort((a, b) => checkedAt(a) - checkedAt(b));
    await Promise.all(due.slice(0, MAX_LOOKS).map((name) => this.#check(name, references.get(name) ?? [], now)));
  }

  async #check(name: string, functions: readonly string[], at: number): Promise<void> {
    const known = this.#seen.get(name);
    // A look that fails is repeated like one that shows nothing new.
    const version = await this.#options.read(name).then(
      (secret) => secret?.version ?? null,
      () => known?.version ?? null,
    );
    this.#seen.set(name, { at, version });
    if (version === null || known?.version === version) return;
    for (const one of functions) if (this.#options.taken(one) !== version) this.#options.changed(one);
  }
}
