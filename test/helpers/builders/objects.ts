import type { Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";

/** Metadata as the API server gives it to a new object. */
export function metadata(name: string, change: Partial<Pod["metadata"]> = {}): Pod["metadata"] {
  return { name, uid: `uid-${name}`, resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z", ...change };
}

interface PodChange {
  metadata?: Partial<Pod["metadata"]>;
  spec?: Partial<Pod["spec"]>;
  status?: Pod["status"];
}

/** A pod with the container `runtime`, of which nothing has been observed. */
export function pod(name: string, change: PodChange = {}): Pod {
  return { metadata: metadata(name, change.metadata), spec: { containers: [{ name: "runtime", image: "r:1" }], ...change.spec }, status: change.status ?? {} };
}

interface CloneSetChange {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec?: Record<string, unknown>;
}

/** A CloneSet as a client creates it: without pods, unless `spec` says otherwise. */
export function newCloneSet(name: string, change: CloneSetChange = {}) {
  const labels = { a: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: "runtime", image: "i:1" }] } };
  return {
    apiVersion: "apps.kruise.io/v1alpha1",
    kind: "CloneSet",
    metadata: { name, ...change.metadata },
    spec: { replicas: 0, selector: { matchLabels: labels }, template, ...change.spec },
  };
}
