import { type ApiObject, type Fields, timestamp, valueAt } from "../objects/object.ts";
import type { MemoryInstance } from "./instance.ts";
import { hasEnded } from "./pod-rules.ts";

export const RUNTIME = "runtime";

/** A pod whose containers run on a node. */
export interface Running {
  uid: string;
  name: string;
  namespace: string;
  host: string;
  instance: MemoryInstance;
  restarts: Record<string, number>;
  /** Containers that run, by the image that they run. */
  images: Record<string, string>;
  isEnding: boolean;
  /** Lines of earlier runs, as the log files of the node contain them. */
  log: string[];
}

export function containersOf(pod: ApiObject): { name: string; image: string }[] {
  return (valueAt(pod, ["spec", "containers"]) ?? []) as { name: string; image: string }[];
}

export function statusOf({ host, images, restarts }: Running): Fields {
  const now = timestamp();
  const condition = (type: string) => ({ type, status: "True", lastTransitionTime: now });
  return {
    phase: "Running",
    podIP: host,
    podIPs: [{ ip: host }],
    conditions: ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition),
    containerStatuses: Object.entries(images).map(([name, image]) => ({
      name,
      image: image.replace(/@.*/, ""),
      imageID: image,
      ready: true,
      restartCount: restarts[name] ?? 0,
      state: { running: { startedAt: now } },
    })),
  };
}

/** The node is there, takes pods, and has the labels that the pod asks for. */
export function takes(node: ApiObject | undefined, pod: ApiObject): boolean {
  const wanted = (valueAt(pod, ["spec", "nodeSelector"]) ?? {}) as Record<string, string>;
  if (node === undefined || valueAt(node, ["spec", "unschedulable"]) === true || hasEnded(pod)) return false;
  return Object.entries(wanted).every(([label, value]) => node.metadata.labels?.[label] === value);
}

export function logOf({ log, instance }: Running, container: string, limitBytes: string | undefined): string {
  const lines = container === RUNTIME ? [...log, ...instance.output] : [];
  const text = lines.map((line) => `${line}\n`).join("");
  return limitBytes ? text.slice(0, Number(limitBytes)) : text;
}
