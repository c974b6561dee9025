import type { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import type { KubeObject } from "../../../pool-manager/kubernetes/objects.ts";

interface Watch {
  line(text: string): void;
  end(error: KubeError | null): void;
}

/** Objects of one kind as an API server lists and watches them: its history can be cut short, set back, or kept silent about. */
export class WatchedServer implements Pick<KubeClient, "get" | "stream"> {
  version = 100;
  readonly objects = new Map<string, KubeObject>();
  /** Answers every request with this error. */
  refusal: KubeError | null = null;
  lists = 0;
  /** Told what first listings wait for. */
  onListing: KubeClient["onListing"] = () => {};
  readonly since: string[] = [];
  readonly #watches = new Set<Watch>();

  put(name: string, uid = name): KubeObject {
    const type = this.objects.get(name)?.metadata.uid === uid ? "MODIFIED" : "ADDED";
    const object = { metadata: { name, uid, resourceVersion: String(++this.version), creationTimestamp: "2026-01-01T00:00:00Z" } };
    this.objects.set(name, object);
    this.say(type, object);
    return object;
  }

  remove(name: string): void {
    const object = this.objects.get(name);
    if (!object) throw new Error(`there is no ${name}`);
    this.objects.delete(name);
    this.say("DELETED", { metadata: { ...object.metadata, resourceVersion: String(++this.version) } });
  }

  /** A change that no watch hears of. */
  silently(change: () => void): void {
    const watches = [...this.#watches];
    this.#watches.clear();
    change();
    for (const watch of watches) this.#watches.add(watch);
  }

  say(type: string, object: object): void {
    this.raw(JSON.stringify({ type, object }));
  }

  raw(line: string): void {
    for (const watch of [...this.#watches]) watch.line(line);
  }

  /** The connections of all watches end. */
  cut(error: KubeError | null = null): void {
    for (const watch of [...this.#watches]) watch.end(error);
  }

  get watches(): number {
    return this.#watches.size;
  }

  async get<T>(_path: string, query: Record<string, string> = {}): Promise<T> {
    if (this.refusal) throw this.refusal;
    const all = query.limit !== "1";
    if (all) this.lists += 1;
    return { metadata: { resourceVersion: String(this.version) }, items: all ? [...this.objects.values()] : [] } as T;
  }

  stream(_path: string, query: Record<string, string>, onLine: (line: string) => void, onEnd: (error: KubeError | null) => void): () => void {
    this.since.push(query.resourceVersion ?? "");
    const watch: Watch = {
      line: onLine,
      end: (error) => {
        if (this.#watches.delete(watch)) onEnd(error);
      },
    };
    this.#watches.add(watch);
    if (this.refusal) watch.end(this.refusal);
    return () => watch.end(null);
  }
}

export const unreachable = () => new KubeError(0, "Unreachable", "the API server does not answer");
