import type { RegistryClient } from "../../images/registry.ts";
import type { KubeClient } from "../../kubernetes/client.ts";
import type { KubeError } from "../../kubernetes/error.ts";
import { kubernetesVersion } from "../../kubernetes/version.ts";
import { judgeKruiseVersion, readKruiseVersion, TESTED_KRUISE } from "./kruise-version.ts";
import { CLONESETS } from "./objects/objects.ts";
import { memoryInWords } from "./resources/resize-support.ts";

export interface CheckResult {
  name: string;
  ok: boolean;
  detail: string;
  /** How to fix it; empty if nothing is wrong. */
  fix: string;
}

export type Outcome = { ok: boolean; detail: string; fix?: string };

const RIGHTS = [
  { group: "", resource: "pods", verbs: ["list", "watch", "patch", "delete"] },
  { group: "", resource: "pods", subresource: "log", verbs: ["get"] },
  { group: "", resource: "pods", subresource: "resize", verbs: ["patch"] },
  { group: "", resource: "secrets", verbs: ["get", "list", "create", "patch", "delete"] },
  { group: "berth.dev", resource: "functions", verbs: ["get", "list", "watch", "create", "patch", "delete"] },
  { group: "berth.dev", resource: "functions", subresource: "status", verbs: ["update"] },
  { group: "berth.dev", resource: "pools", verbs: ["get", "list", "watch", "create", "patch", "delete"] },
  { group: "berth.dev", resource: "pools", subresource: "status", verbs: ["update"] },
  { group: "", resource: "events", verbs: ["list", "create"] },
  { group: "apiextensions.k8s.io", resource: "customresourcedefinitions", name: "functions.berth.dev", namespace: "", verbs: ["get"] },
  { group: "apiextensions.k8s.io", resource: "customresourcedefinitions", name: "pools.berth.dev", namespace: "", verbs: ["get"] },
  { group: "coordination.k8s.io", resource: "leases", verbs: ["get", "create", "update"] },
  { group: "apps.kruise.io", resource: "clonesets", verbs: ["list", "watch", "create", "patch", "delete"] },
  { group: "apps.kruise.io", resource: "imagepulljobs", verbs: ["create"] },
  { group: "policy.kruise.io", resource: "podunavailablebudgets", verbs: ["create", "patch"] },
  { group: "policy", resource: "poddisruptionbudgets", verbs: ["create", "patch"] },
] as const;

/** The settings that the checks depend on; see `KruiseConfig`. */
export interface CheckedSettings {
  anyKruise: boolean;
  memory: string;
  sizeClasses: readonly number[];
}

/** Checks everything that Berth requires of a cluster; each failed check says how to fix it. */
export async function checkCluster(kube: KubeClient, registry: RegistryClient, settings: CheckedSettings): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const check = async (name: string, work: () => Promise<Outcome>) => {
    const { ok, detail, fix = "" } = await work().catch((error: Error) => ({ ok: false, detail: error.message, fix: "see the message" }));
    results.push({ name, ok, detail, fix: ok ? "" : fix });
    return ok;
  };
  if (!(await check("api server", () => apiServer(kube)))) return results;
  await check("kruise", () => kruiseServed(kube));
  await check("kruise version", () => kruiseVersion(kube, settings.anyKruise));
  await check("kruise image pre-download", () => imagePullJobs(kube));
  await check("resources of functions", () => resizing(kube, settings));
  await check("permissions", () => permissions(kube));
  await check("registry", async () => {
    await registry.ping();
    return { ok: true, detail: registry.host };
  });
  return results;
}

async function apiServer(kube: KubeClient): Promise<Outcome> {
  const { version, warning } = await kubernetesVersion(kube);
  return { ok: true, detail: `${kube.server.host}, ${warning ?? `Kubernetes ${version}`}` };
}

/** Checks that the API server serves CloneSets, without which Berth cannot run. */
export async function kruiseServed(kube: Pick<KubeClient, "get">): Promise<Outcome> {
  const fix = "install OpenKruise: https://openkruise.io/docs/installation";
  const list = await kube.get<{ resources: { name: string }[] }>(CLONESETS).catch((error: KubeError) => {
    if (error.status === 404) return null;
    throw error;
  });
  const ok = list?.resources.some(({ name }) => name === "clonesets") ?? false;
  return { ok, detail: ok ? "CloneSets are served" : "the cluster has no CloneSets", fix };
}

export interface VersionOutcome extends Outcome {
  /** A warning about an accepted version. */
  warning?: string;
  /** Why the version could not be read. */
  error?: KubeError | null;
}

/** Checks the version of Kruise: refuses only one that is known and not supported; an unknown one passes with a warning. */
export async function kruiseVersion(kube: Pick<KubeClient, "get">, any: boolean): Promise<VersionOutcome> {
  const { version, error } = await readKruiseVersion(kube);
  const tested = `Berth was tested with ${TESTED_KRUISE.join(" and ")}`;
  if (version === null) {
    const detail = `unknown: ${error?.message ?? "kruise-system has neither its Deployment nor a version label"}`;
    return { ok: true, detail, error, warning: `the version of OpenKruise is ${detail}; ${tested}` };
  }
  const verdict = judgeKruiseVersion(version);
  if (verdict === "tested") return { ok: true, detail: version };
  const detail = `${version}; ${tested}`;
  if (verdict === "untested") return { ok: true, detail, warning: `OpenKruise is ${detail}` };
  return { ok: any, detail, fix: "install one of those or a newer patch release, or accept this one with --any-kruise-version" };
}

async function imagePullJobs(kube: KubeClient): Promise<Outcome> {
  const nodes = await kube.get<{ items: unknown[] }>(`${CLONESETS}/nodeimages`, { limit: "1" });
  const ok = nodes.items.length > 0;
  return {
    ok,
    detail: ok ? "nodes report their images" : "no NodeImage exists",
    fix: "enable Kruise's gate ImagePullJobGate and run kruise-daemon on the nodes",
  };
}

/** A cluster that does not resize pods is fine: the check tells what limits functions there. */
async function resizing(kube: KubeClient, { memory, sizeClasses }: CheckedSettings): Promise<Outcome> {
  return { ok: true, detail: await memoryInWords(kube, memory, sizeClasses) };
}

async function permissions(kube: KubeClient): Promise<Outcome> {
  const denied: string[] = [];
  for (const { group, resource, verbs, ...rest } of RIGHTS) {
    for (const verb of verbs) {
      const attributes = { namespace: kube.namespace, group, resource, verb, ...rest };
      const review = { spec: { resourceAttributes: attributes } };
      const { status } = await kube.create<{ status: { allowed: boolean } }>("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review);
      if (!status.allowed) denied.push(`${verb} ${resource}${"subresource" in rest ? `/${rest.subresource}` : ""}`);
    }
  }
  const ok = denied.length === 0;
  return {
    ok,
    detail: ok ? `all in namespace ${kube.namespace}` : `denied: ${denied.join(", ")}`,
    fix: `grant them to this user in namespace ${kube.namespace}`,
  };
}
