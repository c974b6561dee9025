import { formatBytes, parseBytes, parseCpu } from "../../../functions/manifest/quantity.ts";
import type { ResourceBounds } from "../../../functions/manifest/resources.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
import type { KubeError } from "../../../kubernetes/error.ts";
import { functionBytes, SUPERVISOR_BYTES } from "./pod-resources.ts";

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

/**
 * Asks the API server. A limit that may not be read is no bound; rejects if it does not answer. `poolMemory`: the limit of pods
 * without a function in base pools. `sizeClasses`: in bytes, ascending.
 */
export async function resizeSupport(kube: Kube, poolMemory: string, sizeClasses: readonly number[] = []): Promise<ResizeSupport> {
  const obstacle = await resizeObstacle(kube);
  const classes = classesInWords(sizeClasses);
  if (obstacle === null) {
    const summary = `pods are resized in place for memory and cpu (pods/resize)${classes}; pids and ephemeralStorage are measured`;
    return { isSupported: true, bounds: await largestNode(kube), summary };
  }
  const largest = sizeClasses.at(-1);
  const memoryBytes = largest ?? functionBytes(poolMemory);
  const of = largest === undefined ? "the pool's pods" : "the largest size class";
  const fix = "declare a class that holds it with --size-classes, or use Kubernetes 1.33 or newer and permit patch on pods/resize";
  return {
    isSupported: false,
    bounds: memoryBytes > 0 ? { memoryBytes, cpuMillis: Number.MAX_SAFE_INTEGER, of, fix } : null,
    summary: `pods are not resized (${obstacle})${classes}: memory up to ${formatBytes(memoryBytes)}, pids and ephemeralStorage are measured; cpu is not limited`,
  };
}

/** The ways in which functions get their memory here, in words for `berth doctor`. */
export async function memoryInWords(kube: Kube, poolMemory: string, sizeClasses: readonly number[]): Promise<string> {
  const obstacle = await resizeObstacle(kube);
  const pools = `instances of each runtime's pool hold functions of up to ${formatBytes(functionBytes(poolMemory))}`;
  const classes =
    sizeClasses.length > 0 ? `larger ones have pools of the size classes ${sizeClasses.map(formatBytes).join(", ")}` : "no size classes are declared";
  return `${obstacle === null ? "pods are resized in place" : `pods are not resized (${obstacle})`}; ${pools}; ${classes}`;
}

function classesInWords(sizeClasses: readonly number[]): string {
  return sizeClasses.length > 0 ? `, size classes ${sizeClasses.map(formatBytes).join(", ")}` : "";
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
