import type { KubeClient } from "./client.ts";
import { KubeError } from "./error.ts";
import { type Change, isBefore, ObjectCache } from "./object-cache.ts";
import type { KubeObject } from "./objects.ts";
import { withRetries } from "./retry.ts";
import { StalenessReport } from "./staleness.ts";
import { eventOf, isVersion } from "./watch-event.ts";

export type { Change } from "./object-cache.ts";

const PAGE = "500";
const LIST_TIMEOUT_MS = 30_000;
/** The server ends a watch after this. */
const WATCH_SECONDS = 40;
/** One that has not been ended by then is dead. */
const GRACE_SECONDS = 5;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** A watch that ends sooner, with nothing heard, is opened again after a pause. */
const SHORT_WATCH_MS = 1000;
/** A watch that is refused, or not answered, has ended by then. */
const STEADY_MS = 6000;
/** Everything is listed anew after this even where nothing seems wrong: what was missed for whatever reason is mended. */
const RELIST_MS = 300_000;

interface List<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: T[];
}

/** What a reflector needs of the Kubernetes API. */
type Source = Pick<KubeClient, "get" | "stream"> & Partial<Pick<KubeClient, "onListing">>;

/** What has to follow the end of a watch. */
type Next = "watch" | "list";

/**
 * A cache of the objects of one kind: listed in pages, then watched. A watch that breaks off goes on where it was,
 * after a look whether the server's history still reaches that far; whatever the server refuses or reports as an error
 * is followed by a new listing, and so are five minutes. What it knew stays until a listing or an event says otherwise.
 */
export class Informer<T extends KubeObject> {
  readonly #kube: Source;
  readonly #path: string;
  readonly #selector: string;
  readonly #watchSeconds: number;
  readonly #cache: ObjectCache<T>;
  #version = "";
  #synced = false;
  #closed = false;
  #end: () => void = () => {};
  #timer: NodeJS.Timeout | null = null;
  #silence: NodeJS.Timeout | null = null;
  #steady: NodeJS.Timeout | null = null;
  #relist: NodeJS.Timeout | null = null;
  #next: Next = "watch";
  /** The watch has said something that cannot be used: the next one may say the same, so that a pause comes first. */
  #isUseless = false;
  #pauseMs = FIRST_PAUSE_MS;
  readonly #closing = new AbortController();
  readonly #staleness: StalenessReport;
  #firstSync: { resolve: () => void; reject: (error: Error) => void } | null = null;
  /** Which of the selected objects are kept; one that no longer is counts as deleted. */
  accepts: (object: T) => boolean = () => true;
  /** Called when the server's versions went backwards (it was restored from a backup), before the changes are told. */
  onHistoryReset: () => void = () => {};

  constructor(kube: Source, path: string, selector: string, onChange: (change: Change<T>) => void, watchSeconds = WATCH_SECONDS) {
    this.#watchSeconds = watchSeconds;
    this.#kube = kube;
    this.#path = path;
    this.#selector = selector;
    this.#cache = new ObjectCache<T>(onChange);
    this.#staleness = new StalenessReport((message) => kube.onListing?.(path.slice(path.lastIndexOf("/") + 1), message));
  }

  /**
   * Resolves after the first complete listing; rejects where the server refuses it: at once where there is no such
   * resource, and where rights are missing for longer than a moment.
   */
  start(): Promise<void> {
    return withRetries(() => this.startAtOnce(), {
      stop: this.#closing.signal,
      onTrouble: (message) => message !== null && this.#staleness.failed(message, true),
    });
  }

  /** The same, without patience for rights that are missing. */
  startAtOnce(): Promise<void> {
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
    return this.#cache.get(name);
  }

  all(): IterableIterator<T> {
    return this.#cache.all();
  }

  /** Takes in an object that a write of ours has returned, unless a newer one is known. */
  learn(object: T): void {
    this.#cache.learn(object, this.#version);
  }

  /** Takes in an object that a look has just found, unless a newer one is known. */
  found(object: T): void {
    this.#cache.found(object);
  }

  close(): void {
    this.#closed = true;
    this.#closing.abort();
    for (const timer of [this.#timer, this.#silence, this.#steady, this.#relist]) if (timer) clearTimeout(timer);
    this.#end();
  }

  async #list(): Promise<void> {
    try {
      const { items, version } = await this.#pages();
      if (this.#closed) return;
      const anew = isBefore(version, this.#version);
      if (anew) this.onHistoryReset();
      this.#cache.replace(items, version, anew);
      this.#version = version;
      this.#next = "watch";
      if (!this.#synced) this.#staleness.renewed();
      this.#synced = true;
      this.#firstSync?.resolve();
      this.#firstSync = null;
      this.#listAgainLater();
      this.#watch();
    } catch (error) {
      if (this.#firstSync && isRefusal(error as KubeError)) {
        this.#firstSync.reject(error as Error);
        this.#firstSync = null;
        return;
      }
      this.#failed(error as Error);
      this.#retryLater(() => void this.#list());
    }
  }

  #failed({ message }: Error): void {
    this.#staleness.failed(`${message}; it is tried again`, !this.#synced);
  }

  /** A watch tells what happens. */
  #isSteady(): void {
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#staleness.renewed();
  }

  async #pages(): Promise<{ items: T[]; version: string }> {
    const items: T[] = [];
    let token = "";
    for (;;) {
      const query: Record<string, string> = { ...this.#selected(), limit: PAGE };
      if (token) query.continue = token;
      const { metadata, items: page } = await this.#kube.get<List<T>>(this.#path, query, LIST_TIMEOUT_MS);
      if (!isVersion(metadata.resourceVersion)) throw new KubeError(0, "Unreadable", "the API server's answer is no listing: it has no version");
      items.push(...page.filter((item) => this.accepts(item)));
      token = metadata.continue ?? "";
      if (!token || this.#closed) return { items, version: metadata.resourceVersion };
    }
  }

  #selected(): Record<string, string> {
    return this.#selector ? { labelSelector: this.#selector } : {};
  }

  #listAgainLater(): void {
    if (this.#relist) clearTimeout(this.#relist);
    // Many reflectors and pool managers do not do it in the same moment.
    this.#relist = setTimeout(() => this.#give("list"), RELIST_MS * (0.8 + 0.4 * Math.random()));
    this.#relist.unref();
  }

  /** Ends the present watch, for another one or for a listing. */
  #give(next: Next): void {
    this.#next = next;
    this.#end();
  }

  /** A server whose latest version is below ours has another history: it would let a watch from ours wait in silence. */
  async #resume(): Promise<void> {
    try {
      const { metadata } = await this.#kube.get<List<T>>(this.#path, { ...this.#selected(), limit: "1" }, LIST_TIMEOUT_MS);
      if (this.#closed) return;
      if (this.#next === "list" || isBefore(metadata.resourceVersion, this.#version)) void this.#list();
      else this.#watch();
    } catch (error) {
      this.#failed(error as Error);
      if ((error as KubeError).status > 0) this.#retryLater(() => void this.#list());
      else this.#retryLater(() => void this.#resume());
    }
  }

  #watch(): void {
    if (this.#closed) return;
    const since = performance.now();
    let heard = false;
    const query = {
      ...this.#selected(),
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: this.#version,
      timeoutSeconds: String(this.#watchSeconds),
    };
    this.#heard();
    this.#steady = setTimeout(() => this.#isSteady(), STEADY_MS);
    this.#end = this.#kube.stream(
      this.#path,
      query,
      (line) => {
        heard = true;
        this.#heard();
        this.#line(line);
      },
      (error) => {
        for (const timer of [this.#silence, this.#steady]) if (timer) clearTimeout(timer);
        this.#end = () => {};
        const isShort = !heard && performance.now() - since < SHORT_WATCH_MS;
        this.#ended(error, isShort);
      },
    );
  }

  #ended(error: KubeError | null, isShort: boolean): void {
    if (this.#closed) return;
    const list = this.#next === "list" || (error?.status ?? 0) > 0;
    const go = () => void (list ? this.#list() : this.#resume());
    const failure = error ?? (this.#isUseless ? new Error("the watch says what cannot be used") : null);
    this.#isUseless = false;
    if (failure) this.#failed(failure);
    const pause = failure !== null || isShort;
    if (pause) this.#retryLater(go);
    else go();
  }

  /** A connection that was cut without a word looks like one on which nothing happens. */
  #heard(): void {
    if (this.#silence) clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#end(), (this.#watchSeconds + GRACE_SECONDS) * 1000);
  }

  #line(line: string): void {
    if (this.#next === "list") return;
    const event = eventOf<T>(line);
    // What was lost with it a listing shows.
    if (!event || isBefore(event.object.metadata.resourceVersion, this.#version)) return this.#useless();
    const { type, object } = event;
    this.#isSteady();
    this.#version = object.metadata.resourceVersion;
    if (type !== "BOOKMARK") this.#told(type, object);
  }

  #told(type: "ADDED" | "MODIFIED" | "DELETED", object: T): void {
    const isAccepted = this.accepts(object);
    const isKnown = this.#cache.get(object.metadata.name)?.metadata.uid === object.metadata.uid;
    if (!isAccepted && !isKnown) return;
    if (type === "DELETED" || !isAccepted) this.#cache.delete(object);
    else this.#cache.told(object);
  }

  /** Nothing that this watch says is of use any more. */
  #useless(): void {
    this.#isUseless = true;
    this.#give("list");
  }

  #retryLater(what: () => void): void {
    if (this.#closed) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(what, this.#pauseMs * (0.5 + Math.random()));
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

function isRefusal({ status }: KubeError): boolean {
  return status >= 400 && status < 500 && status !== 410 && status !== 429;
}
