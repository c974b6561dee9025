import type { Resources } from "../../../../runtime-images/protocol/messages.ts";
import { formatBytes, formatCpu, parseBytes } from "../../../functions/manifest/quantity.ts";
import type { JsonPatch } from "../../../kubernetes/json-patch.ts";
import { type Pod, RUNTIME_CONTAINER } from "../objects/objects.ts";

/** Requests and limits of a container. */
export interface ContainerResources {
  requests?: Record<string, string>;
  limits?: Record<string, string>;
}

/** The resources of a pod without a function. */
export type PodResources = { requests: Record<string, string>; limits: { memory: string } };

/** The supervisor's own need, and the excess over its limit that a worker may reach before the supervisor ends it. */
export const SUPERVISOR_BYTES = 64 * 2 ** 20;

/** The most memory of a function, in bytes, in a pod with this limit that is not resized. */
export function functionBytes(memory: string): number {
  return Math.max(0, (parseBytes(memory) ?? 0) - SUPERVISOR_BYTES);
}

/** The resources of the runtime container of a base pool's pod without a function. `memory`: its limit. */
export function poolResources(memory: string): PodResources {
  return { requests: { cpu: "10m", memory: "48Mi" }, limits: { memory } };
}

/** The same of a size class: those of a function that has the whole class, `bytes`. */
export function classResources(bytes: number): PodResources {
  const memory = formatBytes(bytes + SUPERVISOR_BYTES);
  return { requests: { cpu: "10m", memory }, limits: { memory } };
}

/**
 * The resources of the runtime container of a function. Memory is requested in full: a node must not promise it twice.
 * Processors are limited, and not reserved.
 */
function functionResources({ memoryBytes, cpuMillis }: Resources, { requests, limits }: PodResources): ContainerResources {
  const memory = memoryBytes === undefined ? null : formatBytes(memoryBytes + SUPERVISOR_BYTES);
  return {
    requests: { ...requests, ...(memory && { memory }) },
    limits: { ...limits, ...(memory && { memory }), ...(cpuMillis !== undefined && { cpu: formatCpu(cpuMillis) }) },
  };
}

/**
 * The patch of a pod's subresource `resize` for a function with these limits. It fails if the pod is another one, or if its
 * resources have changed since. Null: it has these resources. `free`: those of a pod of its pool without a function.
 */
export function resizeOf(pod: Pod, resources: Resources, free: PodResources): JsonPatch | null {
  const at = pod.spec.containers.findIndex(({ name }) => name === RUNTIME_CONTAINER);
  if (at < 0) return null;
  const path = `/spec/containers/${at}`;
  const present = pod.spec.containers[at]?.resources ?? {};
  const wanted = functionResources(resources, free);
  if (isSame(wanted.requests, present.requests) && isSame(wanted.limits, present.limits)) return null;
  return [
    { op: "test", path: "/metadata/uid", value: pod.metadata.uid },
    { op: "test", path: `${path}/name`, value: RUNTIME_CONTAINER },
    { op: "test", path: `${path}/resources`, value: present },
    { op: "replace", path: `${path}/resources`, value: wanted },
  ];
}

function isSame(wanted: Record<string, string> = {}, present: Record<string, string> = {}): boolean {
  return (
    new Set([...Object.keys(wanted), ...Object.keys(present)]).size === Object.keys(wanted).length &&
    Object.entries(wanted).every(([name, value]) => present[name] === value)
  );
}

/** Why the node has not given a pod its resources, in the kubelet's words; null: it has, or is about to. */
export function resizePending({ status }: Pod): string | null {
  const pending = status.conditions?.find(({ type, status: value }) => type === "PodResizePending" && value === "True");
  return pending ? [pending.reason, pending.message].filter(Boolean).join(": ") : null;
}
