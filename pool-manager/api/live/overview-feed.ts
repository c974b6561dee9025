import type { Overview, OverviewChanges, OverviewSnapshot } from "./overview.ts";

/** Instances are looked at this often while somebody follows: of several changes of one in between, only the last is told. */
const LOOK_MS = 200;
/** Functions, pools and the reader's heartbeat: in every so many looks. */
const FULL_EVERY = 5;
const MAX_FOLLOWERS = 32;

type Listener = (message: OverviewSnapshot | OverviewChanges) => void;

/** Looks once for all followers, and not at all while there are none. */
export class OverviewFeed {
  readonly #overview: Overview;
  readonly #listeners = new Set<Listener>();
  #timer: NodeJS.Timeout | null = null;
  #looks = 0;

  constructor(overview: Overview) {
    this.#overview = overview;
  }

  get isFull(): boolean {
    return this.#listeners.size >= MAX_FOLLOWERS;
  }

  snapshot(): OverviewSnapshot {
    if (!this.#timer) this.#overview.look(true);
    return this.#overview.snapshot();
  }

  /** Calls `listener` with a snapshot, and then with what changes. Returns the function that ends it. */
  follow(listener: Listener): () => void {
    listener(this.snapshot());
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.close();
    };
  }

  close(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    const isFull = ++this.#looks % FULL_EVERY === 0;
    const changes = this.#overview.look(isFull);
    if (!isFull && !changes.instances && !changes.events) return;
    for (const listener of this.#listeners) listener(changes);
  }
}
