import type { KubeObject } from "../../kubernetes/objects.ts";
import type { DefinitionWatch } from "./definitions/definition-watch.ts";

/** Deletions that come together are looked at together. */
const GATHER_MS = 50;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** A resource that only a listing lacks is written again after this: whoever took it away may be about to put it back. */
const REWRITE_AFTER_MS = 30_000;

interface Lost<T> {
  object: T;
  /** Its deletion was seen, and nothing has shown yet that it was not meant. */
  deleted: boolean;
  since: number;
}

export interface LostOptions<T> {
  definition: Pick<DefinitionWatch, "stands" | "remember">;
  /** The resource as the server has it; null: it has none of that name. */
  get(name: string): Promise<T | null>;
  /** Runs `work` while nothing else is done about this name. */
  exclusively(name: string, work: () => Promise<void>): Promise<void>;
  /** Somebody has deleted exactly this resource. */
  withdrawn(name: string, uid: string): Promise<void>;
  /** The resource is there after all, or another one of its name that stands for the same thing. */
  found(object: T): Promise<void>;
  /** Nobody meant its end: it is to be written again. Rejects where that cannot be done now. */
  rewrite(object: T): Promise<void>;
  /** How many go on without a resource, and why; told once for each change. */
  tell(count: number, why: string): void;
  /** Milliseconds. */
  now?(): number;
}

/**
 * Resources that the server does not show any more. One is withdrawn only when its own deletion was seen and a look at
 * it confirms that while the same definition stands; every other one goes on without a resource, which is written again.
 */
export class LostResources<T extends KubeObject> {
  readonly #options: LostOptions<T>;
  readonly #lost = new Map<string, Lost<T>>();
  #timer: NodeJS.Timeout | null = null;
  #running = false;
  #pauseMs = FIRST_PAUSE_MS;
  #told = "";
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

  /** `deleted`: the server has said that this very one was deleted; false: a listing lacks it. */
  noticed(object: T, deleted: boolean): void {
    const { name, uid } = object.metadata;
    const known = this.#lost.get(name);
    const seen = known?.object.metadata.uid === uid && known.deleted;
    this.#lost.set(name, { object, deleted: deleted || seen, since: this.#now() });
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#after(GATHER_MS);
  }

  /** It was removed or written by way of the API: nothing is missing. */
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
      // What was seen until now is judged by how the definition is afterwards.
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
    if (this.#lost.size < before) this.#pauseMs = FIRST_PAUSE_MS;
    if (this.#lost.size > 0) this.#after(this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 1.5, LONGEST_PAUSE_MS);
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
    // What cannot be written now is tried again by a later round; how many wait is told.
    const written = await this.#options.rewrite(object).then(
      () => true,
      () => false,
    );
    if (written && this.#lost.get(name) === lost) this.#lost.delete(name);
  }

  #tell(): void {
    const state = `${this.#lost.size} ${this.#why}`;
    if (state === this.#told || (this.#lost.size === 0 && this.#why === "")) return;
    this.#told = state;
    this.#options.tell(this.#lost.size, this.#why);
    if (this.#lost.size === 0) this.#why = "";
  }
}
