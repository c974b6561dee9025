import { Backoff } from "../../../async/backoff.ts";
import type { FunctionRecord } from "../../../functions/function.ts";
import type { FunctionResource } from "../function-resource.ts";
import { differences } from "./function-status.ts";

/** The pause before a differing status is rewritten, because a write of Berth's may still be in flight; it doubles each time. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** After this long without an edit, the next one is reported again and corrected as fast as the first. */
const QUIET_MS = 300_000;

/** A function, and the resource that stands for it. */
export interface Kept {
  record: FunctionRecord;
  resource: FunctionResource;
}

export interface StatusKeeperOptions {
  /** Null: the function is unknown, has no resource at present, is being written, or was written by a later leader. */
  find(name: string): Kept | null;
  /** Runs `work` while no declaration of this name is ingested. Never rejects. */
  exclusively(name: string, work: () => Promise<void>): Promise<void>;
  /** Writes the record into the resource's status. */
  write(name: string): Promise<unknown>;
  /** Reports once that others have begun to edit these fields. */
  tell(name: string, fields: readonly string[]): void;
  /** Reports why the status cannot be written, once for each change of the reason, and null once it is written. */
  onTrouble(name: string, message: string | null): void;
}

interface Episode {
  timer: NodeJS.Timeout | null;
  backoff: Backoff;
  lastAt: number;
  trouble: string | null;
}

/** Keeps the statuses of functions equal to the leader's records: an edit has no effect, now or after a restart. */
export class StatusKeeper {
  readonly #options: StatusKeeperOptions;
  readonly #episodes = new Map<string, Episode>();
  /** Fields that the server dropped from the last write: the definition is of another version, which is reported elsewhere. */
  readonly #unkept = new Map<string, ReadonlySet<string>>();
  /** Records that were found equal to a resource: most checks compare the same two again. */
  readonly #alike = new WeakMap<FunctionResource, FunctionRecord>();
  #closed = false;

  constructor(options: StatusKeeperOptions) {
    this.#options = options;
  }

  /** Checks a function whose resource may have changed, or whose write has ended. */
  consider(name: string): void {
    if (this.#closed || this.#episodes.get(name)?.timer || this.#differing(name).length === 0) return;
    const known = this.#episodes.get(name);
    const isNew = !known || performance.now() - known.lastAt > QUIET_MS;
    this.#after(name, isNew ? { timer: null, backoff: new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS), lastAt: Number.NEGATIVE_INFINITY, trouble: null } : known);
  }

  /** Records the server's answer to a write of the record. */
  wrote(record: FunctionRecord, resource: FunctionResource): void {
    this.#unkept.set(record.name, new Set(differences(record, resource)));
  }

  /** Forgets a removed function. */
  forget(name: string): void {
    const timer = this.#episodes.get(name)?.timer;
    if (timer) clearTimeout(timer);
    this.#episodes.delete(name);
    this.#unkept.delete(name);
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#episodes.values()) if (timer) clearTimeout(timer);
  }

  #differing(name: string): string[] {
    const kept = this.#options.find(name);
    if (!kept || this.#alike.get(kept.resource) === kept.record) return [];
    const unkept = this.#unkept.get(name);
    const fields = differences(kept.record, kept.resource).filter((field) => !unkept?.has(field));
    if (fields.length === 0) this.#alike.set(kept.resource, kept.record);
    return fields;
  }

  #after(name: string, episode: Episode): void {
    this.#episodes.set(name, episode);
    episode.timer = setTimeout(() => {
      void this.#options.exclusively(name, () => this.#restore(name, episode));
    }, episode.backoff.pauseMs);
    episode.timer.unref();
  }

  async #restore(name: string, episode: Episode): Promise<void> {
    episode.timer = null;
    if (this.#closed || this.#episodes.get(name) !== episode) return;
    const fields = this.#differing(name);
    if (fields.length === 0) {
      if (episode.lastAt === Number.NEGATIVE_INFINITY) this.#episodes.delete(name);
      return;
    }
    if (episode.lastAt === Number.NEGATIVE_INFINITY) this.#options.tell(name, fields);
    episode.lastAt = performance.now();
    episode.backoff.grow();
    const trouble = await this.#options.write(name).then(
      () => null,
      (error: Error) => error.message,
    );
    if (trouble !== episode.trouble) this.#options.onTrouble(name, trouble);
    episode.trouble = trouble;
    if (trouble !== null && this.#episodes.get(name) === episode && !this.#closed) this.#after(name, episode);
    else this.consider(name);
  }
}
