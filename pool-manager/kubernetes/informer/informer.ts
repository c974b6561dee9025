import { Backoff } from "../../async/backoff.ts";
import type { KubeClient } from "../client.ts";
import type { KubeError } from "../error.ts";
import type { KubeObject } from "../objects.ts";
import { withRetries } from "../retry.ts";
import { latestVersion, listAll, type Selection } from "./listing.ts";
import { type Change, isBefore, ObjectCache } from "./object-cache.ts";
import { StalenessReport } from "./staleness.ts";
import { Watch } from "./watch.ts";
import { eventOf } from "./watch-event.ts";

export type { Change } from "./object-cache.ts";

/** The server ends a watch after this. */
const WATCH_SECONDS = 40;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** Everything is listed anew after this even where nothing seems wrong: what was missed for whatever reason is mended. */
const RELIST_MS = 300_000;

/** The part of the Kubernetes client that an informer needs. */
type Source = Pick<KubeClient, "get" | "stream"> & Partial<Pick<KubeClient, "onListing">>;

export interface InformerOptions<T> {
  path: string;
  /** A label selector; by default all objects of the path. */
  selector?: string;
  onChange(change: Change<T>): void;
  /** True for the selected objects that are kept; one that no longer is counts as deleted. By default all are kept. */
  accepts?(object: T): boolean;
  /** Called when the server's versions went backwards (it was restored from a backup), before the changes are told. */
  onHistoryReset?(): void;
  watchSeconds?: number;
}

/** The request that has to follow the end of a watch. */
type Next = "watch" | "list";

/**
 * A cache of the objects of one kind: listed in pages, then watched. A watch that breaks off goes on where it was,
 * after a look whether the server's history still reaches that far; whatever the server refuses or reports as an error
 * is followed by a new listing, and so are five minutes. Its objects stay until a listing or an event says otherwise.
 */
export class Informer<T extends KubeObject> {
  readonly #kube: Source;
  readonly #selection: Selection;
  readonly #watchSeconds: number;
  readonly #cache: ObjectCache<T>;
  #version = "";
  #synced = false;
  #watch: Watch | null = null;
  #timer: NodeJS.Timeout | null = null;
  #relist: NodeJS.Timeout | null = null;
  #next: Next = "watch";
  /** The watch has said something that cannot be used: the next one may say the same, so that a pause comes first. */
  #isUseless = false;
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  readonly #closing = new AbortController();
  readonly #staleness: StalenessReport;
  #firstSync: { resolve: () => void; reject: (error: Error) => void } | null = null;
  readonly #accepts: (object: T) => boolean;
  readonly #onHistoryReset: () => void;

  constructor(kube: Source, options: InformerOptions<T>) {
    const { path, selector = "", onChange, accepts = () => true, onHistoryReset = () => {}, watchSeconds = WATCH_SECONDS } = options;
    this.#watchSeconds = watchSeconds;
    this.#kube = kube;
    this.#selection = { path, selector };
    this.#accepts = accepts;
    this.#onHistoryReset = onHistoryReset;
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
    this.#closing.abort();
    for (const timer of [this.#timer, this.#relist]) if (timer) clearTimeout(timer);
    this.#watch?.close();
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #list(): Promise<void> {
    try {
      const { items, version } = await listAll<T>(this.#kube, this.#selection, this.#accepts, this.#closing.signal);
      if (this.#closed) return;
      const anew = isBefore(version, this.#version);
      if (anew) this.#onHistoryReset();
      this.#cache.replace(items, version, anew);
      this.#version = version;
      this.#next = "watch";
      if (!this.#synced) this.#staleness.renewed();
      this.#synced = true;
      this.#firstSync?.resolve();
      this.#firstSync = null;
      this.#listAgainLater();
      this.#watchOn();
    } catch (error) {
      if (this.#firstSync && isFinalRefusal(error as KubeError)) {
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
    this.#backoff.reset();
    this.#staleness.renewed();
  }

  #listAgainLater(): void {
    if (this.#relist) clearTimeout(this.#relist);
    // Many informers and pool managers do not do it in the same moment.
    this.#relist = setTimeout(() => this.#give("list"), RELIST_MS * (0.8 + 0.4 * Math.random()));
    this.#relist.unref();
  }

  /** Ends the present watch, for another one or for a listing. */
  #give(next: Next): void {
    this.#next = next;
    this.#watch?.end();
  }

  /** A server whose latest version is below ours has another history: it would let a watch from ours wait in silence. */
  async #resume(): Promise<void> {
    try {
      const version = await latestVersion(this.#kube, this.#selection);
      if (this.#closed) return;
      if (this.#next === "list" || isBefore(version, this.#version)) void this.#list();
      else this.#watchOn();
    } catch (error) {
      this.#failed(error as Error);
      if ((error as KubeError).status > 0) this.#retryLater(() => void this.#list());
      else this.#retryLater(() => void this.#resume());
    }
  }

  #watchOn(): void {
    if (this.#closed) return;
    this.#watch = new Watch({
      kube: this.#kube,
      selection: this.#selection,
      version: this.#version,
      seconds: this.#watchSeconds,
      onLine: (line) => this.#line(line),
      onSteady: () => this.#isSteady(),
      onEnd: (error, isShort) => this.#ended(error, isShort),
    });
  }

  #ended(error: KubeError | null, isShort: boolean): void {
    if (this.#closed) return;
    const list = this.#next === "list" || (error?.status ?? 0) > 0;
    const go = () => void (list ? this.#list() : this.#resume());
    const failure = error ?? (this.#isUseless ? new Error("the watch says what cannot be used") : null);
    this.#isUseless = false;
    if (failure) this.#failed(failure);
    if (failure !== null || isShort) this.#retryLater(go);
    else go();
  }

  #line(line: string): void {
    if (this.#next === "list") return;
    const event = eventOf<T>(line);
    // A listing shows the changes that were lost with it.
    if (!event || isBefore(event.object.metadata.resourceVersion, this.#version)) return this.#useless();
    const { type, object } = event;
    this.#isSteady();
    this.#version = object.metadata.resourceVersion;
    if (type !== "BOOKMARK") this.#told(type, object);
  }

  #told(type: "ADDED" | "MODIFIED" | "DELETED", object: T): void {
    const isAccepted = this.#accepts(object);
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
    this.#timer = setTimeout(what, this.#backoff.next() * (0.5 + Math.random()));
  }
}

/** Whether the server refuses the listing for a reason that does not pass by itself. */
function isFinalRefusal({ status }: KubeError): boolean {
  return status >= 400 && status < 500 && status !== 410 && status !== 429;
}
