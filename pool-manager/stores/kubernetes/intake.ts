import { ManagerError, type ManagerErrorCode } from "../../errors.ts";
import type { FunctionResource } from "./function-resource.ts";

/** What cannot be taken in now is looked at again after this, then after longer and longer. */
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;

/** Refusals that others can end without touching the declaration; `FIELD_OWNED` is the API server's, of what Berth itself writes. */
const PASSING: ReadonlySet<ManagerErrorCode> = new Set(["SECRET_NOT_FOUND", "CODE_UNKNOWN", "TOO_MANY_FUNCTIONS", "ROLLOUT_RUNNING", "FIELD_OWNED"]);

interface Refusal {
  /** Which state of which resource. */
  of: string;
  pauseMs: number;
  timer: NodeJS.Timeout | null;
}

export interface IntakeOptions {
  find(name: string): FunctionResource | undefined;
  /** Takes it in. Rejects with a `ManagerError` where the declaration is not valid, with anything else where it cannot be done now. */
  take(resource: FunctionResource): Promise<void>;
  /** For good: until somebody declares something else. */
  refuse(resource: FunctionResource, error: ManagerError): Promise<unknown>;
  /** For the present. */
  hold(resource: FunctionResource, error: ManagerError): Promise<unknown>;
}

/** Declared functions, taken in one after the other for each name; what is refused for a reason that may pass is tried again. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #queues = new Map<string, Promise<void>>();
  readonly #refusals = new Map<string, Refusal>();
  /** Names whose declaration means something else now though its state is one that was taken in. */
  readonly #anew = new Set<string>();
  #closed = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** It was declared, or has changed. */
  consider(name: string): void {
    const resource = this.#options.find(name);
    const refusal = this.#refusals.get(name);
    if (refusal && resource && refusal.of === stateOf(resource)) return;
    this.#forget(name);
    void this.exclusively(name, () => this.#take(name));
  }

  /** What its declaration refers to has changed, or its history: it is taken in again. */
  again(name: string): void {
    this.#anew.add(name);
    this.#forget(name);
    void this.exclusively(name, () => this.#take(name));
  }

  /** Whether its state was taken in is not known: it is taken in again, after a pause. */
  doubt(name: string): void {
    this.#anew.add(name);
    this.#later(name);
  }

  /** Whether this state of the resource has not been taken in. */
  isPending(resource: FunctionResource): boolean {
    const { metadata, status } = resource;
    return this.#anew.has(metadata.name) || status?.observedGeneration !== metadata.generation;
  }

  /** Runs `work` while nothing else is done about this name. Never rejects. */
  exclusively(name: string, work: () => Promise<void>): Promise<void> {
    const done = (this.#queues.get(name) ?? Promise.resolve()).then(work).catch(() => this.#later(name));
    this.#queues.set(name, done);
    void done.then(() => this.#queues.get(name) === done && this.#queues.delete(name));
    return done;
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
      this.#anew.delete(name);
      this.#forget(name);
    } catch (error) {
      await this.#refuse(resource, asManagerError(error));
    }
  }

  async #refuse(resource: FunctionResource, error: ManagerError): Promise<void> {
    const { name } = resource.metadata;
    if (error.status < 500 && !PASSING.has(error.code)) {
      this.#anew.delete(name);
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
    const pauseMs = known?.of === of ? Math.min(known.pauseMs * 2, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
    const timer = setTimeout(() => void this.exclusively(name, () => this.#take(name)), pauseMs);
    timer.unref();
    this.#refusals.set(name, { of, pauseMs, timer });
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
