import { PeriodicTask } from "../../../async/periodic-task.ts";
import type { SecretValues } from "./function-secrets.ts";

/** How often a Secret that a function names is read; less often if there are many. */
const CHECK_INTERVAL_MS = 10_000;
const TICK_MS = 1000;
const MAX_LOOKS = 5;

export interface SecretWatchOptions {
  read(name: string): Promise<SecretValues | null>;
  /** Names of functions by the Secret that they reference. */
  references(): ReadonlyMap<string, readonly string[]>;
  /** The ingested version of a function's Secret. */
  taken(functionName: string): string | undefined;
  /** The function's Secret has another version than the ingested one. */
  changed(functionName: string): void;
  /** Reports why a tick fails, once for each change of the reason, and null once one succeeds. */
  onTrouble(message: string | null): void;
}

/** Polls the Secrets that functions name, a few each second: permission to watch them would expose every Secret of the namespace. */
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
    // A failed read counts as unchanged, and is repeated at the usual interval.
    const version = await this.#options.read(name).then(
      (secret) => secret?.version ?? null,
      () => known?.version ?? null,
    );
    this.#seen.set(name, { at, version });
    if (version === null || known?.version === version) return;
    for (const one of functions) if (this.#options.taken(one) !== version) this.#options.changed(one);
  }
}
