import type { FunctionRecord } from "../../../functions/function.ts";
import type { FunctionResource } from "../function-resource.ts";
import { differences } from "./function-status.ts";

/** What differs is looked at again after this: what writes it may only not have ended. Then after longer and longer. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** Nobody has changed it for this long: the next change is told anew, and put right as soon as the first. */
const QUIET_MS = 300_000;

/** A function, and the resource that stands for it. */
export interface Kept {
  record: FunctionRecord;
  resource: FunctionResource;
}

export interface StatusKeeperOptions {
  /** Null: the function is not known, has no resource at present, is just being written, or a later leader has written it. */
  find(name: string): Kept | null;
  /** Runs `work` while no declaration of this name is taken in. Never rejects. */
  exclusively(name: string, work: () => Promise<void>): Promise<void>;
  /** Writes the record into the resource's status. */
  write(name: string): Promise<unknown>;
  /** Told once when somebody has begun to change these fields. */
  tell(name: string, fields: readonly string[]): void;
  /** Told once for each change of the reason why it cannot be written, and null when it has been. */
  onTrouble(name: string, message: string | null): void;
}

interface Episode {
  timer: NodeJS.Timeout | null;
  pauseMs: number;
  lastAt: number;
  trouble: string | null;
}

/** Has the statuses of functions say what the leader's records say: whoever edits one changes nothing, now or after a restart. */
export class StatusKeeper {
  readonly #options: StatusKeeperOptions;
  readonly #episodes = new Map<string, Episode>();
  /** Fields that the server did not keep of the last write: the definition is of another version, which is told elsewhere. */
  readonly #unkept = new Map<string, ReadonlySet<string>>();
  /** Resources that were found to say what this record says: most looks compare the same two again. */
  readonly #alike = new WeakMap<FunctionResource, FunctionRecord>();
  #closed = false;

  constructor(options: StatusKeeperOptions) {
    this.#options = options;
  }

  /** The resource may have changed, or a write of ours has ended. */
  consider(name: string): void {
    if (this.#closed || this.#episodes.get(name)?.timer || this.#differing(name).length === 0) return;
    const known = this.#episodes.get(name);
    const isNew = !known || performance.now() - known.lastAt > QUIET_MS;
    this.#after(name, isNew ? { timer: null, pauseMs: FIRST_PAUSE_MS, lastAt: Number.NEGATIVE_INFINITY, trouble: null } : known);
  }

  /** What the server has answered to a write of the record. */
  wrote(record: FunctionRecord, resource: FunctionResource): void {
    this.#unkept.set(record.name, new Set(differences(record, resource)));
  }

  /** The function is no more. */
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
    }, episode.pauseMs);
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
    episode.pauseMs = Math.min(episode.pauseMs * 2, LONGEST_PAUSE_MS);
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
