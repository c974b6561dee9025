import { apiVersionOf, type Route, resourceOf } from "../objects/kinds.ts";
import { type ApiObject, freeze } from "../objects/object.ts";
import { type Matches, matchesOf } from "../objects/selectors.ts";
import { expired } from "./api-error.ts";
import type { Store, StoreEvent } from "./store.ts";

/** The server tells now and then how far a quiet watch has come. */
const BOOKMARK_EVERY_MS = 60_000;
/** And shortly before it ends one. */
const BOOKMARK_BEFORE_END_MS = 2000;
/** A watch that names no time ends after this. */
const DEFAULT_SECONDS = 1800;

export interface WatchSink {
  event(type: string, object: object): void;
  ended(): void;
}

/**
 * One watch. Events of versions up to the asked one are not told: after a backup was restored, that is every change
 * until the counter has passed it, as with the real server.
 */
export class Watch {
  readonly #store: Store;
  readonly #route: Route;
  readonly #sink: WatchSink;
  readonly #matches: Matches;
  readonly #bookmarks: boolean;
  readonly #ms: number;
  #from: number;
  #timers: NodeJS.Timeout[] = [];
  #stop: () => void = () => {};
  #over = false;

  constructor(store: Store, route: Route, query: Readonly<Record<string, string>>, sink: WatchSink) {
    this.#store = store;
    this.#route = route;
    this.#sink = sink;
    this.#matches = matchesOf(query.labelSelector, query.fieldSelector);
    this.#bookmarks = query.allowWatchBookmarks === "true";
    this.#from = Number(query.resourceVersion || 0);
    this.#ms = Number(query.timeoutSeconds || DEFAULT_SECONDS) * 1000;
  }

  get route(): Route {
    return this.#route;
  }

  /** Tells what there is, or what has happened since, and then what happens. */
  begin(): void {
    const resource = resourceOf(this.#route.kind);
    if (this.#from > 0 && this.#from < this.#store.compacted) {
      this.#sink.event("ERROR", expired(`too old resource version: ${this.#from} (${this.#store.compacted})`).status());
      return this.end();
    }
    if (this.#from === 0) {
      for (const object of this.#store.list(resource, this.#route.namespace).filter(this.#matches)) this.#sink.event("ADDED", object);
      this.#from = this.#store.version;
    }
    for (const event of this.#store.since(resource, this.#from)) this.#tell(event);
    this.#stop = this.#store.listen({ changed: (event) => event.resource === resource && this.#tell(event), restored: () => this.end() });
    this.#schedule();
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stop();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#sink.ended();
  }

  #schedule(): void {
    const every = setInterval(() => this.#bookmark(), BOOKMARK_EVERY_MS);
    const last = setTimeout(() => this.#bookmark(), Math.max(0, this.#ms - BOOKMARK_BEFORE_END_MS));
    this.#timers = [every, last, setTimeout(() => this.end(), this.#ms)];
  }

  #bookmark(): void {
    const { version } = this.#store;
    if (!this.#bookmarks || version <= this.#from) return;
    const { kind } = this.#route;
    const metadata = { resourceVersion: String(version), creationTimestamp: null };
    this.#sink.event("BOOKMARK", { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata });
  }

  /** To a watch an object that begins or ceases to match is added or deleted. */
  #tell({ version, type, object, before }: StoreEvent): void {
    const { namespace } = this.#route;
    if (version <= this.#from || (namespace !== null && object.metadata.namespace !== namespace)) return;
    const was = before !== null && this.#matches(before);
    const is = type !== "DELETED" && this.#matches(object);
    if (is) this.#sink.event(was ? "MODIFIED" : "ADDED", object);
    else if (was) this.#sink.event("DELETED", type === "DELETED" ? object : lastOf(before, version));
  }
}

/** The object as it was when it still matched, under the version of the change. */
function lastOf(before: ApiObject, version: number): ApiObject {
  return freeze({ ...before, metadata: { ...before.metadata, resourceVersion: String(version) } });
}
