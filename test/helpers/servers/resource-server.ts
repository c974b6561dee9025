import type { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import type { KubeObject } from "../../../pool-manager/kubernetes/objects.ts";
import { DEFINITIONS } from "../../../pool-manager/stores/kubernetes/definitions/definition-watch.ts";

type Stored = KubeObject & { spec?: object; status?: object };
type Answer<T> = Promise<T>;

const GROUP_PATH = "/apis/berth.dev/";

/** The part of an API server that the stores need: collections by path, versions, generations, watches, and definitions that may be deleted. */
export class ResourceServer implements Pick<KubeClient, "namespace" | "get" | "create" | "replace" | "patch" | "delete" | "stream"> {
  readonly namespace = "n";
  version = 100;
  readonly objects = new Map<string, Stored>();
  /** Fields that statuses lose, as with a definition that does not know them. */
  pruned: string[] = [];
  /** Statuses of answers by the beginning of "METHOD path". */
  readonly refusals = new Map<string, number>();
  /** Told what first listings wait for. */
  onListing: KubeClient["onListing"] = () => {};
  readonly #watches = new Set<{ path: string; line(text: string): void; end(error: KubeError | null): void }>();

  constructor() {
    this.#put("/api/v1/namespaces/n", {});
    for (const plural of ["functions", "pools"]) this.define(plural);
  }

  define(plural: string): void {
    this.#put(`${DEFINITIONS}/${plural}.berth.dev`, { spec: {} });
  }

  /** Removes a definition as the API server does: its resources first. */
  undefine(plural: string): void {
    const definition = this.objects.get(`${DEFINITIONS}/${plural}.berth.dev`);
    if (definition) definition.metadata.deletionTimestamp = "now";
    for (const path of [...this.objects.keys()]) if (path.startsWith(GROUP_PATH) && path.includes(`/${plural}/`)) this.#remove(path);
    this.objects.delete(`${DEFINITIONS}/${plural}.berth.dev`);
    for (const watch of [...this.#watches]) if (watch.path.endsWith(`/${plural}`)) watch.end(new KubeError(404, "NotFound", "no such resource"));
  }

  /** Past every watch: its clients find out by listing. */
  silently(change: () => void): void {
    const watches = [...this.#watches];
    this.#watches.clear();
    change();
    for (const watch of watches) this.#watches.add(watch);
  }

  /** Removes the finalizers: a deleted resource then disappears. */
  letGo(path: string): void {
    const { metadata, ...rest } = this.#at(path);
    this.#put(path, { ...rest, metadata: { ...metadata, finalizers: [] } });
    if (metadata.deletionTimestamp) this.#remove(path);
  }

  /** All watches have to list anew. */
  expire(): void {
    for (const { line } of [...this.#watches]) line(JSON.stringify({ type: "ERROR", object: { metadata: {}, code: 410 } }));
  }

  async get<T>(path: string, _query: Record<string, string> = {}): Answer<T> {
    this.#check("GET", path);
    if (isCollection(path)) return { metadata: { resourceVersion: String(this.version) }, items: this.#below(path) } as T;
    return structuredClone(this.#at(path)) as T;
  }

  async create<T>(path: string, body: unknown): Answer<T> {
    this.#check("POST", path);
    const object = body as Stored;
    if (object.metadata.name.startsWith("_")) throw new KubeError(422, "Invalid", "metadata.name is no name");
    const at = `${path}/${object.metadata.name}`;
    if (this.objects.has(at)) throw new KubeError(409, "AlreadyExists", `${at} exists`);
    return structuredClone(this.#put(at, object)) as T;
  }

  async replace<T>(path: string, body: unknown): Answer<T> {
    const at = path.replace(/\/status$/, "");
    this.#check("PUT", path);
    const { metadata, status } = body as Stored;
    const current = this.#at(at);
    if (metadata.resourceVersion !== current.metadata.resourceVersion) throw new KubeError(409, "Conflict", "it has changed");
    const kept = Object.fromEntries(Object.entries(status ?? {}).filter(([field]) => !this.pruned.includes(field)));
    return structuredClone(this.#put(at, { ...current, status: kept })) as T;
  }

  async patch<T>(path: string, _type: string, body: unknown): Answer<T> {
    this.#check("PATCH", path);
    const known = this.objects.get(path);
    const { spec, ...rest } = body as Stored;
    return structuredClone(this.#put(path, { ...known, ...rest, ...((spec || known?.spec) && { spec: { ...known?.spec, ...spec } }) })) as T;
  }

  async delete<T>(path: string): Answer<T> {
    this.#check("DELETE", path);
    const { metadata, ...rest } = this.#at(path);
    if (!metadata.finalizers?.length) return { kind: "Status", status: "Success", last: this.#remove(path) } as T;
    return structuredClone(this.#put(path, { ...rest, metadata: { ...metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } })) as T;
  }

  stream(path: string, _query: Record<string, string>, line: (text: string) => void, onEnd: (error: KubeError | null) => void): () => void {
    const watch = {
      path,
      line,
      end: (error: KubeError | null) => {
        if (this.#watches.delete(watch)) onEnd(error);
      },
    };
    this.#watches.add(watch);
    return () => watch.end(null);
  }

  #put(path: string, object: Partial<Stored>): Stored {
    const known = this.objects.get(path);
    const name = path.split("/").at(-1) ?? "";
    const isOther = JSON.stringify(known?.spec) !== JSON.stringify(object.spec);
    const metadata = {
      ...known?.metadata,
      ...object.metadata,
      name,
      uid: known?.metadata.uid ?? `uid-${name}-${this.version}`,
      resourceVersion: String(++this.version),
      generation: (known?.metadata.generation ?? 0) + (isOther ? 1 : 0),
      creationTimestamp: "2026-01-01T00:00:00Z",
    };
    const stored = structuredClone({ ...object, metadata }) as Stored;
    this.objects.set(path, stored);
    this.#say(known ? "MODIFIED" : "ADDED", path, stored);
    return stored;
  }

  #remove(path: string): Stored {
    const object = this.#at(path);
    this.objects.delete(path);
    this.#say("DELETED", path, { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.version) } });
    return object;
  }

  #say(type: string, path: string, object: Stored): void {
    const collection = path.slice(0, path.lastIndexOf("/"));
    for (const watch of [...this.#watches]) if (watch.path === collection) watch.line(JSON.stringify({ type, object }));
  }

  #below(path: string): Stored[] {
    return structuredClone([...this.objects].filter(([at]) => at.slice(0, at.lastIndexOf("/")) === path).map(([, object]) => object));
  }

  #at(path: string): Stored {
    const found = this.objects.get(path);
    if (!found) throw new KubeError(404, "NotFound", `there is no ${path}`);
    return found;
  }

  #check(method: string, path: string): void {
    for (const [what, status] of this.refusals) if (`${method} ${path}`.startsWith(what)) throw new KubeError(status, "Refused", `${what} is refused`);
    const [, plural = ""] = /^\/apis\/berth\.dev\/v1alpha1\/namespaces\/n\/(\w+)/.exec(path) ?? [];
    const definition = this.objects.get(`${DEFINITIONS}/${plural}.berth.dev`);
    if (plural && !definition) throw new KubeError(404, "NotFound", "the server could not find the requested resource");
    if (method === "POST" && definition?.metadata.deletionTimestamp) throw new KubeError(405, "MethodNotAllowed", "create not allowed");
  }
}

function isCollection(path: string): boolean {
  return /\/(functions|pools|secrets|clonesets|pods)$/.test(path);
}
