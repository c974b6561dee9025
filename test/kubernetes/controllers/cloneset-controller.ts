import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import type { MemoryCluster } from "../cluster.ts";
import { type ApiObject, timestamp } from "../objects/object.ts";
import { activePods, type CloneSetObject, type CloneSetPlan, isReady, planOf, REVISION_LABEL } from "./cloneset-plan.ts";

const RESOURCE = "apps.kruise.io/clonesets";
/** It takes in a change after this. */
const REACT_MS = [5, 30] as const;
/** Creations that fail are tried again after a pause that doubles. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;

/** OpenKruise's CloneSet controller, as far as Berth depends on it. */
export class CloneSetController {
  readonly #cluster: MemoryCluster;
  readonly #scheduled = new Set<string>();
  readonly #failures = new Map<string, number>();
  /** It stands still, as its process does when it is stopped. */
  frozen = false;
  /** How many milliseconds later than pods it sees CloneSets: one of two watches may lag behind the other. */
  setsLagMs = 0;
  /** Templates by revision, as ControllerRevisions keep them. */
  readonly #templates = new Map<string, CloneSetObject["spec"]["template"]>();
  /** CloneSets as it sees them. */
  readonly #sets = new Map<string, CloneSetObject>();

  constructor(cluster: MemoryCluster) {
    this.#cluster = cluster;
    cluster.store.listen({
      changed: ({ resource, object, before }) => {
        if (resource === RESOURCE) this.#see(object as CloneSetObject);
        if (resource === "/pods") for (const pod of [object, before]) this.#ownersOf(pod);
      },
      restored: () => {
        this.#sets.clear();
        for (const set of cluster.store.list(RESOURCE)) this.#see(set as CloneSetObject);
      },
    });
  }

  #see(set: CloneSetObject): void {
    const see = () => {
      this.#sets.set(`${set.metadata.namespace}/${set.metadata.name}`, set);
      this.#schedule(set.metadata);
    };
    if (this.setsLagMs > 0) setTimeout(see, this.setsLagMs);
    else see();
  }

  #ownersOf(pod: ApiObject | null): void {
    for (const { kind, name } of pod?.metadata.ownerReferences ?? []) if (kind === "CloneSet") this.#schedule({ namespace: pod?.metadata.namespace, name });
  }

  #schedule({ namespace = "", name }: { namespace?: string | undefined; name: string }, [from, to]: readonly [number, number] = REACT_MS): void {
    const key = `${namespace}/${name}`;
    if (this.#scheduled.has(key)) return;
    this.#scheduled.add(key);
    const run = () => {
      if (this.frozen) return void setTimeout(run, 100);
      this.#scheduled.delete(key);
      this.#reconcile(namespace, name);
    };
    setTimeout(run, from + Math.random() * (to - from));
  }

  #reconcile(namespace: string, name: string): void {
    const { store } = this.#cluster;
    const current = store.get(RESOURCE, namespace, name) as CloneSetObject | undefined;
    if (!current) this.#sets.delete(`${namespace}/${name}`);
    const set = this.#sets.get(`${namespace}/${name}`);
    if (!current || set?.metadata.uid !== current.metadata.uid) return;
    const revision = `${name}-${createHash("sha256").update(JSON.stringify(set.spec.template)).digest("hex").slice(0, 10)}`;
    this.#templates.set(revision, set.spec.template);
    this.#release(set);
    // For a CloneSet that is being deleted, it only updates the status.
    if (set.metadata.deletionTimestamp) return this.#report(set, revision, null);
    const active = activePods(set, store.list("/pods", namespace));
    const plan = planOf(set, active, revision);
    const failure = this.#create(set, plan, revision);
    for (const { metadata } of plan.remove) this.#write("DELETE", `/api/v1/namespaces/${namespace}/pods/${metadata.name}`);
    for (const pod of plan.update) this.#update(set, pod, revision);
    this.#forgetDeleted(set);
    this.#report(set, revision, failure);
  }

  /** Releases pods that the selector no longer matches: they then have no owner. */
  #release(set: CloneSetObject): void {
    const { namespace = "" } = set.metadata;
    const wanted = Object.entries(set.spec.selector.matchLabels);
    for (const { metadata } of activePods(set, this.#cluster.store.list("/pods", namespace))) {
      if (wanted.every(([name, value]) => metadata.labels?.[name] === value)) continue;
      this.#write("PATCH", `/api/v1/namespaces/${namespace}/pods/${metadata.name}`, { metadata: { ownerReferences: null } }, "application/merge-patch+json");
    }
  }

  /** Returns why a creation failed; null: none did. */
  #create(set: CloneSetObject, { create, createFormer }: CloneSetPlan, revision: string): string | null {
    const { namespace = "", name } = set.metadata;
    const former = set.status?.currentRevision || revision;
    try {
      for (let i = 0; i < create; i++) {
        const made = i < createFormer ? former : revision;
        this.#write("POST", `/api/v1/namespaces/${namespace}/pods`, podOf(set, this.#templates.get(made) ?? set.spec.template, made));
      }
      this.#failures.delete(name);
      return null;
    } catch (error) {
      const failures = (this.#failures.get(name) ?? 0) + 1;
      this.#failures.set(name, failures);
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
      setTimeout(() => this.#schedule({ namespace, name }), pause);
      return (error as KubeError).message;
    }
  }

  #update(set: CloneSetObject, { metadata, spec }: ApiObject, revision: string): void {
    const wanted = new Map(set.spec.template.spec.containers.map((container) => [container.name, container.image]));
    const containers = (spec as { containers: { name: string; image: string }[] }).containers.map(({ name, image }) => ({
      name,
      image: wanted.get(name) ?? image,
    }));
    const path = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`;
    this.#write("PATCH", path, { metadata: { labels: revisionLabels(revision) }, spec: { containers } }, "application/strategic-merge-patch+json");
  }

  /** Names of pods that are gone are taken off the list. */
  #forgetDeleted({ metadata, spec }: CloneSetObject): void {
    const { namespace = "", name } = metadata;
    const named = spec.scaleStrategy?.podsToDelete ?? [];
    const left = named.filter((pod) => this.#cluster.store.get("/pods", namespace, pod));
    if (left.length < named.length) this.#write("PATCH", pathOf(metadata), { spec: { scaleStrategy: { podsToDelete: left } } });
    if (left.length > 0) this.#schedule({ namespace, name }, [200, 400]);
  }

  #report({ metadata, spec }: CloneSetObject, revision: string, failure: string | null): void {
    const { store } = this.#cluster;
    const set = store.get(RESOURCE, metadata.namespace ?? null, metadata.name) as CloneSetObject | undefined;
    if (!set) return;
    const active = activePods(set, store.list("/pods", metadata.namespace ?? null));
    const updated = active.filter((pod) => pod.metadata.labels?.[REVISION_LABEL] === revision);
    const ready = active.filter(isReady);
    const isWhole = updated.length === spec.replicas && updated.length === active.length;
    const known = (set.status?.conditions ?? []) as { type: string; message?: string }[];
    const same = known.find(({ type, message }) => type === "FailedScale" && message === failure);
    const failed = failure === null ? [] : [same ?? { type: "FailedScale", status: "True", lastTransitionTime: timestamp(), message: failure }];
    const status = {
      observedGeneration: metadata.generation,
      replicas: active.length,
      readyReplicas: ready.length,
      availableReplicas: ready.length,
      updatedReplicas: updated.length,
      updatedReadyReplicas: updated.filter(isReady).length,
      updateRevision: revision,
      currentRevision: isWhole || !set.status?.currentRevision ? revision : set.status.currentRevision,
      ...(failed.length > 0 && { conditions: failed }),
    };
    if (!isDeepStrictEqual(status, set.status)) this.#write("PUT", `${pathOf(metadata)}/status`, { ...set, status });
  }

  #write(method: string, path: string, body?: object, contentType?: string): ApiObject {
    return this.#cluster.at<ApiObject>(method, path, body, contentType, "kruise-manager");
  }
}

function pathOf({ namespace, name }: ApiObject["metadata"]): string {
  return `/apis/apps.kruise.io/v1alpha1/namespaces/${namespace}/clonesets/${name}`;
}

function revisionLabels(revision: string): Record<string, string> {
  return { [REVISION_LABEL]: revision, "pod-template-hash": revision.split("-").at(-1) ?? "" };
}

function podOf({ apiVersion, kind, metadata }: CloneSetObject, template: CloneSetObject["spec"]["template"], revision: string): object {
  const id = Math.random().toString(36).slice(2, 7).padEnd(5, "x");
  const owner = { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true, blockOwnerDeletion: true };
  const { labels, annotations } = template.metadata ?? {};
  return {
    metadata: {
      name: `${metadata.name}-${id}`,
      labels: { ...labels, ...revisionLabels(revision), "apps.kruise.io/cloneset-instance-id": id },
      ...(annotations && { annotations }),
      ownerReferences: [owner],
    },
    spec: template.spec,
  };
}
