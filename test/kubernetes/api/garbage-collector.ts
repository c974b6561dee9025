import { CLEANUP } from "../objects/definitions.ts";
import { type Kind, resourceOf } from "../objects/kinds.ts";
import type { ApiObject } from "../objects/object.ts";
import type { Api } from "./api.ts";
import type { Store } from "./store.ts";

interface Cluster {
  api: Api;
  store: Store;
}

/** Milliseconds that these controllers of Kubernetes take. */
const REACT_MS = 50;

/**
 * Deletes dependent objects: those whose owners are all gone, those in a namespace that is being deleted, and
 * the objects of a definition.
 */
export class GarbageCollector {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    cluster.store.listen({
      changed: ({ resource, type, object }) => {
        if (type === "DELETED") setTimeout(() => this.#collectOrphans(), REACT_MS);
        if (type === "DELETED" || !object.metadata.deletionTimestamp) return;
        if (object.metadata.finalizers?.includes("foregroundDeletion")) setTimeout(() => this.#foreground(resource, object), REACT_MS);
        if (resource === "/namespaces") setTimeout(() => this.#emptyNamespace(object), REACT_MS);
        if (object.metadata.finalizers?.includes(CLEANUP)) setTimeout(() => this.#endDefinition(object), REACT_MS);
      },
      restored: () => {},
    });
  }

  /** Kinds of which there may be objects. */
  #all(): { kind: Kind; object: ApiObject }[] {
    const { api, store } = this.#cluster;
    const kinds = new Map(api.definitions.kinds.map((kind) => [resourceOf(kind), kind]));
    return [...kinds].flatMap(([resource, kind]) => store.list(resource).map((object) => ({ kind, object })));
  }

  #collectOrphans(): void {
    const all = this.#all();
    const uids = new Set(all.map(({ object }) => object.metadata.uid));
    for (const { kind, object } of all) {
      const owners = object.metadata.ownerReferences ?? [];
      if (owners.length > 0 && !owners.some(({ uid }) => uids.has(uid)) && !object.metadata.deletionTimestamp) this.#delete(kind, object);
    }
  }

  #foreground(resource: string, { metadata }: ApiObject): void {
    const { store } = this.#cluster;
    const dependents = this.#all().filter(({ object }) => object.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid));
    for (const { kind, object } of dependents) if (!object.metadata.deletionTimestamp) this.#delete(kind, object);
    if (dependents.length > 0) return void setTimeout(() => this.#foreground(resource, { metadata } as ApiObject), REACT_MS);
    if (store.get(resource, metadata.namespace ?? null, metadata.name)?.metadata.uid === metadata.uid)
      store.remove(resource, metadata.namespace ?? null, metadata.name);
  }

  #emptyNamespace({ metadata }: ApiObject): void {
    const { store } = this.#cluster;
    const inside = this.#all().filter(({ object }) => object.metadata.namespace === metadata.name);
    for (const { kind, object } of inside) if (!object.metadata.deletionTimestamp) this.#delete(kind, object);
    if (inside.length > 0) return void setTimeout(() => this.#emptyNamespace({ metadata } as ApiObject), REACT_MS);
    if (store.get("/namespaces", null, metadata.name)) store.remove("/namespaces", null, metadata.name);
  }

  #endDefinition({ metadata }: ApiObject): void {
    const { api, store } = this.#cluster;
    const definition = store.get("apiextensions.k8s.io/customresourcedefinitions", null, metadata.name);
    if (definition?.metadata.uid === metadata.uid) api.definitions.finish(definition);
  }

  /** A protected object stays; its deletion is tried again with the next one. */
  #delete(kind: Kind, { metadata }: ApiObject): void {
    const group = kind.group ? `/apis/${kind.group}` : "/api";
    const place = kind.namespaced ? `/namespaces/${metadata.namespace}` : "";
    const answer = this.#cluster.api.handle({
      method: "DELETE",
      path: `${group}/${kind.version}${place}/${kind.plural}/${metadata.name}`,
      query: {},
      body: { preconditions: { uid: metadata.uid } },
      contentType: "application/json",
      client: "kube-controller-manager",
    });
    if (answer.status >= 500) throw new Error(`garbage collector: ${JSON.stringify(answer.body)}`);
  }
}
