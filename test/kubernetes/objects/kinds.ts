import type { Subject } from "../api/api-error.ts";

/** A kind of objects as it is served. */
export interface Kind {
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: boolean;
  /** Its definition is an object itself: other rules hold for its writes. */
  custom: boolean;
  /** Status is written on its own, and generations count the changes of everything else. */
  status: boolean;
  /** Paths of the scale subresource, where it has one. */
  scale?: { specReplicas: string[]; statusReplicas: string[] };
  /** An update that names no resource version is refused. */
  conditional: boolean;
  /** Structural schema of a custom kind; what is not in it is dropped. */
  schema?: object;
}

type Options = Partial<Pick<Kind, "namespaced" | "status" | "conditional" | "scale">>;

function builtin(groupVersion: string, plural: string, kind: string, options: Options = {}): Kind {
  const [group = "", version = ""] = groupVersion.includes("/") ? groupVersion.split("/") : ["", groupVersion];
  return { group, version, plural, kind, namespaced: true, custom: false, status: false, conditional: false, ...options };
}

function custom(groupVersion: string, plural: string, kind: string, options: Options = {}): Kind {
  return { ...builtin(groupVersion, plural, kind, { status: true, conditional: true, ...options }), custom: true };
}

/** The kinds of Kubernetes that Berth uses, and those of OpenKruise's definitions (without their schemas). */
export const BUILTIN: readonly Kind[] = [
  builtin("v1", "pods", "Pod", { status: true }),
  builtin("v1", "nodes", "Node", { namespaced: false, status: true }),
  builtin("v1", "namespaces", "Namespace", { namespaced: false, status: true }),
  builtin("v1", "secrets", "Secret"),
  builtin("v1", "configmaps", "ConfigMap"),
  builtin("v1", "services", "Service", { status: true }),
  builtin("v1", "events", "Event"),
  builtin("events.k8s.io/v1", "events", "Event"),
  builtin("coordination.k8s.io/v1", "leases", "Lease", { conditional: true }),
  builtin("apps/v1", "deployments", "Deployment", { status: true }),
  builtin("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", { status: true, conditional: true }),
  builtin("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", { namespaced: false, status: true, conditional: true }),
  custom("apps.kruise.io/v1alpha1", "clonesets", "CloneSet", {
    scale: { specReplicas: ["spec", "replicas"], statusReplicas: ["status", "replicas"] },
  }),
  custom("apps.kruise.io/v1alpha1", "imagepulljobs", "ImagePullJob"),
  custom("apps.kruise.io/v1alpha1", "nodeimages", "NodeImage", { namespaced: false }),
  custom("policy.kruise.io/v1alpha1", "podunavailablebudgets", "PodUnavailableBudget"),
];

/** The key under which objects of a kind are stored; all its versions share it. */
export function resourceOf({ group, plural }: Pick<Kind, "group" | "plural">): string {
  // Both event APIs show the same objects.
  return plural === "events" ? "events" : `${group}/${plural}`;
}

export function apiVersionOf({ group, version }: Kind): string {
  return group ? `${group}/${version}` : version;
}

export function subjectOf({ group, plural, kind }: Kind, name: string): Subject {
  return { group, plural, kind, name };
}

/** The objects that a path names. */
export interface Route {
  kind: Kind;
  namespace: string | null;
  /** Empty: all of them. */
  name: string;
  /** `status`, `scale`, `log`, `eviction`; empty: the object itself. */
  subresource: string;
}

/** Null: nothing is served there. */
export function routeOf(path: string, kinds: readonly Kind[]): Route | null {
  const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  const group = parts[0] === "apis" ? (parts[1] ?? "") : "";
  const rest = parts[0] === "apis" ? parts.slice(2) : parts[0] === "api" ? parts.slice(1) : [];
  const [version, ...where] = rest;
  // `/api/v1/namespaces/x` is the namespace itself, `/api/v1/namespaces/x/pods` what is in it.
  const inNamespace = where[0] === "namespaces" && where.length > 2 && where[2] !== "status";
  const namespace = inNamespace ? (where[1] ?? null) : null;
  const [plural, name = "", subresource = ""] = inNamespace ? where.slice(2) : where;
  const kind = kinds.find((one) => one.group === group && one.version === version && one.plural === plural);
  if (!kind || (namespace !== null && !kind.namespaced) || (name && kind.namespaced && namespace === null)) return null;
  return { kind, namespace, name, subresource };
}
