import { formatBytes, parseBytes, parseCpu } from "../../../functions/manifest/quantity.ts";
import type { ResourceBounds } from "../../../functions/manifest/resources.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
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

/** Asks the API server (Kubernetes 1.33 and later). Never rejects: what cannot be read is not bounded. `poolMemory`: of pods without a function. */
export async function resizeSupport(kube: Pick<KubeClient, "get">, poolMemory: string): Promise<ResizeSupport> {
  const isSupported = await canResize(kube);
  if (!isSupported) {
    const memoryBytes = (parseBytes(poolMemory) ?? 0) - SUPERVISOR_BYTES;
    const fix = "start Berth with a larger --instance-memory, or use Kubernetes 1.33 or newer, which resizes pods";
    return {
      isSupported,
      bounds: memoryBytes > 0 ? { memoryBytes, cpuMillis: Number.MAX_SAFE_INTEGER, of: "the pool's pods", fix } : null,
      summary: `pods are not resized (Kubernetes before 1.33, or without permission for pods/resize): memory up to ${formatBytes(Math.max(memoryBytes, 0))}, pids and ephemeralStorage are measured; cpu is not limited`,
    };
  }
  return {
    isSupported,
    bounds: await largestNode(kube),
    summary: "pods are resized in place for memory and cpu (pods/resize); pids and ephemeralStorage are measured",
  };
}

/** Whether the API server has the subresource `resize` of pods. */
export async function canResize(kube: Pick<KubeClient, "get">): Promise<boolean> {
  const list = await kube.get<{ resources?: { name: string }[] }>("/api/v1").catch(() => null);
  return list?.resources?.some(({ name }) => name === "pods/resize") ?? false;
}

/** What the largest node gives to pods; null: nodes may not be listed. */
async function largestNode(kube: Pick<KubeClient, "get">): Promise<ResourceBounds | null> {
  const list = await kube.get<{ items?: NodeSize[] }>("/api/v1/nodes").catch(() => null);
  const sizes = (list?.items ?? []).map(({ status }) => status?.allocatable ?? {});
  const largest = Math.max(0, ...sizes.map(({ memory = "" }) => parseBytes(memory) ?? 0));
  // In whole MiB: the number is for people too.
  const memoryBytes = Math.floor(largest / MIB) * MIB - SUPERVISOR_BYTES;
  const cpuMillis = Math.max(0, ...sizes.map(({ cpu = "" }) => parseCpu(cpu) ?? 0));
  return memoryBytes > 0 && cpuMillis > 0 ? { memoryBytes, cpuMillis, of: "the largest node", fix: "ask for less, or add a larger node" } : null;
}
