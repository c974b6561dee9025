import { Backoff } from "../../async/backoff.ts";
import { SequencerByKey } from "../../async/sequencer.ts";
import { ManagerError, type ManagerErrorCode } from "../../errors.ts";
import type { FunctionResource } from "./function-resource.ts";

/** The pause before the first retry of a declaration that cannot be ingested now; it doubles each time. */
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;

/** Refusals that can pass without a change of the declaration; the API server gives `FIELD_OWNED` for Berth's own writes. */
const PASSING: ReadonlySet<ManagerErrorCode> = new Set([
  "SECRET_NOT_FOUND",
  "CODE_UNKNOWN",
  "IMAGE_NOT_FOUND",
  "IMAGE_FORBIDDEN",
  "TOO_MANY_FUNCTIONS",
  "ROLLOUT_RUNNING",
  "FIELD_OWNED",
]);

interface Refusal {
  /** The refused state of the resource (`stateOf`). */
  of: string;
  backoff: Backoff;
  timer: NodeJS.Timeout | null;
}

export interface IntakeOptions {
  find(name: string): FunctionResource | undefined;
  /** Ingests a declaration. Rejects with a `ManagerError` if it is not valid, and with any other error if it cannot be ingested now. */
  take(resource: FunctionResource): Promise<void>;
  /** Reports a final refusal: it lasts until the declaration changes. */
  refuse(resource: FunctionResource, error: ManagerError): Promise<unknown>;
  /** Reports a refusal that is being retried. */
  hold(resource: FunctionResource, error: ManagerError): Promise<unknown>;
}

/** Ingests declared functions, one at a time for each name, and retries those that are refused for a reason that may pass. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #sequencer = new SequencerByKey();
  readonly #refusals = new Map<string, Refusal>();
  /** Names to ingest again although this state of their resource was already ingested. */
  readonly #outdated = new Set<string>();
  #closed = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Ingests a declaration that is new or has changed. */
  consider(name: string): void {
    const resource = this.#options.find(name);
    const refusal = this.#refusals.get(name);
    if (refusal && resource && refusal.of === stateOf(resource)) return;
    this.#forget(name);
    void this.exclusively(name, () => this.#take(name));
  }

  /** Ingests a declaration again, because something that it refers to has changed, or its history. */
  again(name: string): void {
    this.#outdated.add(name);
    this.#forget(name);
    void this.exclusively(name, () => this.#take(name));
  }

  /** Ingests a declaration again after a pause, because it is not known whether its state was ingested. */
  doubt(name: string): void {
    this.#outdated.add(name);
    this.#later(name);
  }

  /** Whether this state of the resource has yet to be ingested. */
  isPending(resource: FunctionResource): boolean {
    const { metadata, status } = resource;
    return this.#outdated.has(metadata.name) || status?.observedGeneration !== metadata.generation;
  }

  /** Runs `work` exclusively for this name. Never rejects: a failure schedules another ingestion. */
  exclusively(name: string, work: () => Promise<void>): Promise<void> {
    return this.#sequencer.run(name, async () => work().catch(() => this.#later(name)));
  }

  close(): void {
    this.#closed = true;
    for (const name of [...this.#refusals.keys()]) this.#forget(name);
  }

  async #take(name: string): Promise<void> {
    const resource = this.#options.find(name);
    if (this.#closed || !resource || resource.metadata.deletionTimestamp || !this.isPending(resource)) return;
    try {
      await this.#options.take(resource);
      this.#outdated.delete(name);
      this.#forget(name);
    } catch (error) {
      await this.#refuse(resource, asManagerError(error));
    }
  }

  async #refuse(resource: FunctionResource, error: ManagerError): Promise<void> {
    const { name } = resource.metadata;
    if (error.status < 500 && !PASSING.has(error.code)) {
      this.#outdated.delete(name);
      await this.#options.refuse(resource, error);
      return;
    }
    this.#later(name, resource);
    await this.#options.hold(resource, error);
  }

  #later(name: string, resource = this.#options.find(name)): void {
    if (this.#closed || !resource) return;
    const known = this.#refusals.get(name);
    if (known?.timer) clearTimeout(known.timer);
    const of = stateOf(resource);
    const backoff = known?.of === of ? known.backoff : new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    const timer = setTimeout(() => void this.exclusively(name, () => this.#take(name)), backoff.next());
    timer.unref();
    this.#refusals.set(name, { of, backoff, timer });
  }

  #forget(name: string): void {
    const known = this.#refusals.get(name);
    if (known?.timer) clearTimeout(known.timer);
    this.#refusals.delete(name);
  }
}

function stateOf({ metadata }: FunctionResource): string {
  return `${metadata.uid}/${metadata.generation}`;
}

function asManagerError(error: unknown): ManagerError {
  return error instanceof ManagerError ? error : new ManagerError("STORE_FAILED", (error as Error).message);
}
