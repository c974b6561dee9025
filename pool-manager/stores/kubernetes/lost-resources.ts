import { Backoff } from "../../async/backoff.ts";
import type { KubeObject } from "../../kubernetes/objects.ts";
import type { DefinitionWatch } from "./definitions/definition-watch.ts";

/** Deletions within this time are checked together. */
const GATHER_MS = 50;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** A resource that a listing lacks, without a deletion seen, is rewritten only after this long: it may be about to be restored. */
const REWRITE_AFTER_MS = 30_000;

interface Lost<T> {
  object: T;
  /** Its deletion was seen, and has not turned out to be unintended. */
  deleted: boolean;
  since: number;
}

export interface LostOptions<T> {
  definition: Pick<DefinitionWatch, "stands" | "remember">;
  /** Reads the resource from the server; null: there is none of that name. */
  get(name: string): Promise<T | null>;
  /** Runs `work` exclusively for this name. */
  exclusively(name: string, work: () => Promise<void>): Promise<void>;
  /** Exactly this resource was deleted on purpose. */
  withdrawn(name: string, uid: string): Promise<void>;
  /** The resource exists after all, or another one of its name, which stands for the same thing. */
  found(object: T): Promise<void>;
  /** Rewrites a resource whose deletion was not intended. Rejects if that cannot be done now. */
  rewrite(object: T): Promise<void>;
  /** Reports how many objects continue without a resource, and why, once for each change. */
  tell(count: number, why: string): void;
  /** Returns milliseconds; by default `performance.now`. */
  now?(): number;
}

/**
 * Handles resources that the server no longer shows. A resource counts as withdrawn only if its own deletion was seen, and
 * a read confirms it while the same definition stands. Every other one is rewritten, and its function continues meanwhile.
 */
export class LostResources<T extends KubeObject> {
  readonly #options: LostOptions<T>;
  readonly #lost = new Map<string, Lost<T>>();
  #timer: NodeJS.Timeout | null = null;
  #running = false;
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS, 1.5);
  #reported = "";
  #why = "";
  #closed = false;

  constructor(options: LostOptions<T>) {
    this.#options = options;
  }

  has(name: string): boolean {
    return this.#lost.has(name);
  }

  get size(): number {
    return this.#lost.size;
  }

  /** Records a lost resource. `deleted`: the server has reported its deletion; false: a listing lacks it. */
  noticed(object: T, deleted: boolean): void {
    const { name, uid } = object.metadata;
    const known = this.#lost.get(name);
    const seen = known?.object.metadata.uid === uid && known.deleted;
    this.#lost.set(name, { object, deleted: deleted || seen, since: this.#now() });
    this.#backoff.reset();
    this.#after(GATHER_MS);
  }

  /** Forgets a name that was removed or written through the API: nothing is missing then. */
  settled(name: string): void {
    this.#lost.delete(name);
  }

  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  #now(): number {
    return this.#options.now?.() ?? performance.now();
  }

  #after(ms: number): void {
    if (this.#closed || this.#running) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#round(), ms);
    this.#timer.unref();
  }

  async #round(): Promise<void> {
    this.#running = true;
    const before = this.#lost.size;
    const all = [...this.#lost];
    try {
      // The definition is checked after the deletions were seen: it decides whether they were intended.
      const stands = await this.#options.definition.stands();
      if (!stands) {
        for (const [, lost] of all) Object.assign(lost, { deleted: false, since: Number.NEGATIVE_INFINITY });
        this.#why = "the definition was deleted or replaced, or the namespace is being deleted";
        await this.#options.definition.remember();
      } else if (all.some(([, { deleted }]) => !deleted)) this.#why ||= "the server no longer lists them";
      for (const [name, lost] of all) await this.#options.exclusively(name, () => this.#settle(name, lost, stands));
    } catch (error) {
      this.#why ||= (error as Error).message;
    }
    this.#running = false;
    this.#tell();
    if (this.#lost.size < before) this.#backoff.reset();
    const pauseMs = this.#backoff.next();
    if (this.#lost.size > 0) this.#after(pauseMs);
  }

  async #settle(name: string, lost: Lost<T>, stands: boolean): Promise<void> {
    if (this.#lost.get(name) !== lost) return;
    const { object, deleted, since } = lost;
    const { uid } = object.metadata;
    const isMeant = deleted && stands;
    const found = await this.#options.get(name);
    if (isMeant && found?.metadata.uid !== uid) {
      this.#lost.delete(name);
      await this.#options.withdrawn(name, uid);
      if (found) await this.#options.found(found);
      return;
    }
    if (found) {
      this.#lost.delete(name);
      return this.#options.found(found);
    }
    if (stands && this.#now() - since < REWRITE_AFTER_MS) return;
    // A later round retries what cannot be written now; `tell` reports how many are left.
    const written = await this.#options.rewrite(object).then(
      () => true,
      () => false,
    );
    if (written && this.#lost.get(name) === lost) this.#lost.delete(name);
  }

  #tell(): void {
    const state = `${this.#lost.size} ${this.#why}`;
    if (state === this.#reported || (this.#lost.size === 0 && this.#why === "")) return;
    this.#reported = state;
    this.#options.tell(this.#lost.size, this.#why);
    if (this.#lost.size === 0) this.#why = "";
  }
}
