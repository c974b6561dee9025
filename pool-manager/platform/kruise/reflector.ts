import type { Kube } from "./kube.ts";
import type { KubeError } from "./kube-error.ts";
import type { KubeObject } from "./objects.ts";

const PAGE = "500";
/** The server ends a watch after this. Seconds. */
const WATCH_SECONDS = 40;
/** One that has not been ended by then is dead. Seconds. */
const GRACE_SECONDS = 5;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
const MAX_DELETED = 2000;

/** `deleted`: the server has said so; `missing`: a new listing no longer has it. */
export type Change<T> = { type: "present"; object: T } | { type: "deleted" | "missing"; object: T };

interface List<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: T[];
}

interface WatchEvent<T> {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  object: T & { code?: number };
}

/**
 * A cache of the objects of one kind: listed in pages, then watched; listed anew after 410 (Expired), watched anew
 * after everything else, with a pause that grows while the server does not answer. What it knew stays meanwhile.
 */
export class Reflector<T extends KubeObject> {
  readonly #kube: Kube;
  readonly #path: string;
  readonly #selector: string;
  readonly #onChange: (change: Change<T>) => void;
  readonly #objects = new Map<string, T>();
  /** Objects whose deletion was seen lately: the answer to a write of ours may come after it. */
  readonly #deleted = new Set<string>();
  #version = "";
  #synced = false;
  #closed = false;
  #end: () => void = () => {};
  #timer: NodeJS.Timeout | null = null;
  #silence: NodeJS.Timeout | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  #firstSync: { resolve: () => void; reject: (error: Error) => void } | null = null;

  readonly #watchSeconds: number;

  constructor(kube: Kube, path: string, selector: string, onChange: (change: Change<T>) => void, watchSeconds = WATCH_SECONDS) {
    this.#watchSeconds = watchSeconds;
    this.#kube = kube;
    this.#path = path;
    this.#selector = selector;
    this.#onChange = onChange;
  }

  /** Resolves after the first complete listing; rejects where the server refuses it (no permission, no such resource). */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#firstSync = { resolve, reject };
      void this.#list();
    });
  }

  /** True once everything has been listed. */
  get synced(): boolean {
    return this.#synced;
  }

  /** By name. */
  get(name: string): T | undefined {
    return this.#objects.get(name);
  }

  all(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** Takes in an object that a write of ours has returned, unless a newer one is known. */
  learn(object: T): void {
    if (this.#deleted.has(object.metadata.uid)) return;
    const known = this.#objects.get(object.metadata.name);
    if (known && !isNewer(object, known)) return;
    this.#objects.set(object.metadata.name, object);
    this.#onChange({ type: "present", object });
  }

  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#silence) clearTimeout(this.#silence);
    this.#end();
  }

  async #list(): Promise<void> {
    try {
      const items: T[] = [];
      let token = "";
      let version = "";
      do {
        const query: Record<string, string> = { ...this.#selected(), limit: PAGE };
        if (token) query.continue = token;
        const page = await this.#kube.get<List<T>>(this.#path, query, 30_000);
        items.push(...page.items);
        version = page.metadata.resourceVersion;
        token = page.metadata.continue ?? "";
      } while (token && !this.#closed);
      if (this.#closed) return;
      this.#replace(items);
      this.#version = version;
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#synced = true;
      this.#firstSync?.resolve();
      this.#firstSync = null;
      this.#watch();
    } catch (error) {
      const { status } = error as KubeError;
      if (this.#firstSync && status >= 400 && status < 500 && status !== 410 && status !== 429) {
        this.#firstSync.reject(error as Error);
        this.#firstSync = null;
        return;
      }
      this.#again(() => void this.#list());
    }
  }

  #selected(): Record<string, string> {
    return this.#selector ? { labelSelector: this.#selector } : {};
  }

  #watch(): void {
    if (this.#closed) return;
    let expired = false;
    const query = {
      ...this.#selected(),
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: this.#version,
      timeoutSeconds: String(this.#watchSeconds),
    };
    this.#end = this.#kube.stream(
      this.#path,
      query,
      (line) => {
        this.#heard();
        const { type, object } = JSON.parse(line) as WatchEvent<T>;
        if (type === "ERROR") expired = true;
        else this.#event(type, object);
      },
      (error) => {
        if (this.#silence) clearTimeout(this.#silence);
        if (this.#closed) return;
        if (expired || error?.status === 410) this.#again(() => void this.#list());
        else if (error) this.#again(() => this.#watch());
        else this.#watch();
      },
    );
    this.#heard();
  }

  /** A connection that was cut without a word looks like one on which nothing happens. */
  #heard(): void {
    if (this.#silence) clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#end(), (this.#watchSeconds + GRACE_SECONDS) * 1000);
  }

  #event(type: WatchEvent<T>["type"], object: T): void {
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#version = object.metadata.resourceVersion;
    if (type === "BOOKMARK") return;
    if (type === "DELETED") {
      // Another object of its name may have been learned already.
      if (this.#objects.get(object.metadata.name)?.metadata.uid === object.metadata.uid) this.#objects.delete(object.metadata.name);
      this.#deleted.add(object.metadata.uid);
      for (const oldest of this.#deleted) {
        if (this.#deleted.size <= MAX_DELETED) break;
        this.#deleted.delete(oldest);
      }
      this.#onChange({ type: "deleted", object });
    } else {
      this.learn(object);
    }
  }

  #replace(items: readonly T[]): void {
    const names = new Set(items.map(({ metadata }) => metadata.name));
    for (const [name, object] of this.#objects) {
      if (names.has(name)) continue;
      this.#objects.delete(name);
      this.#onChange({ type: "missing", object });
    }
    for (const item of items) {
      // The same name with another uid is another object.
      if (this.#objects.get(item.metadata.name)?.metadata.uid !== item.metadata.uid) this.#objects.delete(item.metadata.name);
      this.learn(item);
    }
  }

  #again(what: () => void): void {
    if (this.#closed) return;
    this.#timer = setTimeout(what, this.#pauseMs * (0.5 + Math.random()));
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** Versions of objects of one kind rise (Kubernetes API concepts: since 1.35 officially comparable as decimals). */
export function isNewer(a: KubeObject, b: KubeObject): boolean {
  if (a.metadata.uid !== b.metadata.uid) return true;
  return BigInt(a.metadata.resourceVersion) > BigInt(b.metadata.resourceVersion);
}
