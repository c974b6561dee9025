import type { Logger } from "pino";
import { namedImages, needed } from "./functions/references.ts";
import type { FunctionRegistry } from "./functions/registry.ts";
import type { CollectedKind, Collector } from "./functions/retention.ts";
import type { CodeImages } from "./images/code-images.ts";
import type { Platform } from "./platform/platform.ts";
import type { PoolEvent } from "./pool/events.ts";
import type { Stores } from "./stores/stores.ts";

/** What a change has made superfluous is looked for this long after it. */
const AFTER_CHANGE_MS = 200;
/** A sweep looks at everything there is, and deployments wait for it: it may take this share of the time. */
const SHARE = 1 / 20;
/** While a pool is paused nothing is removed; looked at again after this. */
const PAUSED_MS = 5000;
/** Most things go by time, not by a change. */
const SWEEP_MS = 60_000;

export interface CodeCollectorOptions {
  functions: FunctionRegistry;
  images: CodeImages;
  platform: Pick<Platform, "retainCode">;
  stores: Pick<Stores, "declared" | "retain">;
  /** Nothing may be removed now. */
  isPaused(): boolean;
  onEvent(event: PoolEvent): void;
  log: Logger;
}

/** Removes code and records that nothing needs, wherever they lie, as the functions' retention allows; each removal is told. */
export class CodeCollector implements Collector {
  readonly #options: CodeCollectorOptions;
  #timer: NodeJS.Timeout | null = null;
  #due = Number.POSITIVE_INFINITY;
  #trouble = "";
  /** No sweep begins before. Milliseconds of `performance.now()`. */
  #restUntil = 0;
  #state: "new" | "started" | "closed" = "new";

  constructor(options: CodeCollectorOptions) {
    this.#options = options;
  }

  /** To be called when the platform has started: until then nothing is looked for. */
  start(): void {
    if (this.#state !== "new") return;
    this.#state = "started";
    this.#after(AFTER_CHANGE_MS);
  }

  /** A function was deployed, changed or deleted. */
  changed(): void {
    this.#after(AFTER_CHANGE_MS);
  }

  mayGo(kind: CollectedKind, id: string): string | null {
    return this.#state === "closed" ? null : this.#options.functions.retention.mayGo(kind, id);
  }

  end(ids: Iterable<string>, reason: string): void {
    this.#options.functions.retention.end(ids, reason);
  }

  gone(kind: CollectedKind, item: string, reason: string): void {
    this.#options.log.info({ kind, item, reason }, "removed what nothing needs");
    this.#options.onEvent({ type: "image.collected", kind, item, reason });
  }

  close(): void {
    this.#state = "closed";
    if (this.#timer) clearTimeout(this.#timer);
  }

  /** The earliest of the times that were asked for. */
  #after(ms: number): void {
    const now = performance.now();
    const due = Math.max(now + ms, this.#restUntil);
    if (this.#state !== "started" || due >= this.#due) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => void this.#sweep(), due - now);
  }

  async #sweep(): Promise<void> {
    this.#due = Number.POSITIVE_INFINITY;
    const { functions, isPaused, log } = this.#options;
    if (isPaused()) return this.#after(PAUSED_MS);
    try {
      await functions.exclusively(() => this.#collect());
      this.#trouble = "";
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#trouble) log.error({ err: error }, "unreferenced code could not be collected");
      this.#trouble = message;
    }
    this.#after(SWEEP_MS);
  }

  async #collect(): Promise<void> {
    // It may have waited for its turn until after the end.
    if (this.#state === "closed") return;
    const from = performance.now();
    const { functions, images, platform, stores } = this.#options;
    const records = functions.list();
    const all = { ...needed(records), declared: stores.declared() };
    functions.retention.sweep([...all.functions, ...all.images, ...all.layers, ...all.declared]);
    platform.retainCode(all, this);
    stores.retain(all.functions, this);
    await images.collect(namedImages(records), all.declared, this);
    const now = performance.now();
    this.#restUntil = now + (now - from) / SHARE;
  }
}
