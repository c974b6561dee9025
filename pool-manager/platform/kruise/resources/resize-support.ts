import { formatBytes, parseBytes, parseCpu } from "../../../functions/manifest/quantity.ts";
import type { ResourceBounds } from "../../../functions/manifest/resources.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
import type { KubeError } from "../../../kubernetes/error.ts";
import { SUPERVISOR_BYTES } from "./pod-resources.ts";

const MIB = 2 ** 20;

/** Whether pods can be resized here, and what functions can have. */
export interface ResizeSupport {
  isSupported: boolean;
  bounds: ResourceBounds | null;
  /** In words. */
  summary: string;
}

interface NodeSize {
  status?: { allocatable?: Record<string, string> };
}

type Kube = Pick<KubeClient, "namespace" | "get" | "create">;

/** Asks the API server. A limit that may not be read is no bound; rejects if the API server does not answer. `poolMemory`: of pods without a function. */
export async function resizeSupport(kube: Kube, poolMemory: string): Promise<ResizeSupport> {
  const obstacle = await resizeObstacle(kube);
  const isSupported = obstacle === null;
  if (!isSupported) {
    const memoryBytes = (parseBytes(poolMemory) ?? 0) - SUPERVISOR_BYTES;
    const fix = "start Berth with a larger --instance-memory, or use Kubernetes 1.33 or newer and permit patch on pods/resize";
    return {
      isSupported,
      bounds: memoryBytes > 0 ? { memoryBytes, cpuMillis: Number.MAX_SAFE_INTEGER, of: "the pool's pods", fix } : null,
      summary: `pods are not resized (${obstacle}): memory up to ${formatBytes(Math.max(memoryBytes, 0))}, pids and ephemeralStorage are measured; cpu is not limited`,
    };
  }
  return {
    isSupported,
    bounds: await largestNode(kube),
    summary: "pods are resized in place for memory and cpu (pods/resize); pids and ephemeralStorage are measured",
  };
}

/** Why pods are not resized here, in words; null: they are. Rejects if the API server does not answer. */
export async function resizeObstacle(kube: Kube): Promise<string | null> {
  const list = await permitted(kube.get<{ resources?: { name: string }[] }>("/api/v1"));
  if (!list?.resources?.some(({ name }) => name === "pods/resize")) return "Kubernetes before 1.33";
  const spec = { resourceAttributes: { namespace: kube.namespace, group: "", resource: "pods", subresource: "resize", verb: "patch" } };
  const review = await permitted(kube.create<{ status: { allowed: boolean } }>("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", { spec }));
  // A cluster that does not say may permit it: a resize that is refused is reported.
  return (review?.status.allowed ?? true) ? null : "without permission to patch pods/resize";
}

/** The answer; null: there is none for this user, or none here. */
function permitted<T>(answer: Promise<T>): Promise<T | null> {
  return answer.catch((error: KubeError) => {
    if (error.status === 403 || error.status === 404) return null;
    throw error;
  });
}

/** The resources that the largest node gives to pods; null: nodes may not be listed. */
async function largestNode(kube: Kube): Promise<ResourceBounds | null> {
  const list = await permitted(kube.get<{ items?: NodeSize[] }>("/api/v1/nodes"));
  const sizes = (list?.items ?? []).map(({ status }) => status?.allocatable ?? {});
  const largest = Math.max(0, ...sizes.map(({ memory = "" }) => parseBytes(memory) ?? 0));
  // In whole MiB: the number is for people too.
  const memoryBytes = Math.floor(largest / MIB) * MIB - SUPERVISOR_BYTES;
  const cpuMillis = Math.max(0, ...sizes.map(({ cpu = "" }) => parseCpu(cpu) ?? 0));
  return memoryBytes > 0 && cpuMillis > 0 ? { memoryBytes, cpuMillis, of: "the largest node", fix: "ask for less, or add a larger node" } : null;
}
