import type { Logger } from "pino";
import { namedImages, needed } from "./functions/references.ts";
import type { FunctionRegistry } from "./functions/registry.ts";
import type { CollectedKind, Collector } from "./functions/retention.ts";
import type { CodeImages } from "./images/code-images.ts";
import type { Platform } from "./platform/platform.ts";
import type { PoolEvent } from "./pool/events.ts";
import type { Stores } from "./stores/stores.ts";

/** Delay of a sweep after a change. */
const AFTER_CHANGE_MS = 200;
/** Maximum share of the time that sweeps take: each lists everything, and deployments wait for it. */
const SHARE = 1 / 20;
/** Delay of the next attempt while a pool is paused, when nothing is removed. */
const PAUSED_MS = 5000;
/** Interval of sweeps without a change: most removals become due by time. */
const SWEEP_MS = 60_000;

export interface CodeCollectorOptions {
  functions: FunctionRegistry;
  images: CodeImages;
  platform: Pick<Platform, "retainCode">;
  stores: Pick<Stores, "declared" | "retain">;
  /** True while nothing may be removed. */
  isPaused(): boolean;
  onEvent(event: PoolEvent): void;
  log: Logger;
}

/** Removes unreferenced code and records from all stores, as the functions' retention allows, and reports each removal. */
export class CodeCollector implements Collector {
  readonly #options: CodeCollectorOptions;
  #timer: NodeJS.Timeout | null = null;
  #due = Number.POSITIVE_INFINITY;
  #trouble = "";
  /** Time of `performance.now()` before which no sweep begins. */
  #restUntil = 0;
  #state: "new" | "started" | "closed" = "new";

  constructor(options: CodeCollectorOptions) {
    this.#options = options;
  }

  /** Must be called once the platform has started; before, there are no sweeps. */
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

  /** Schedules a sweep, unless an earlier one is due. */
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
    // It may have waited in the registry's queue until after `close`.
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
