import { customWorker } from "../../../runtime-images/custom/worker-command.ts";
import { NODE, PROGRAMS } from "../../images/runtime-image.ts";
import type { PodRuntime } from "./clonesets/manifests.ts";

/** References of the images that pods are made of, as `berth images` pushes them. */
export interface InstanceImages {
  node: string;
  /** Of a code container without a function. */
  idle: string;
}

/** What a pod of each runtime consists of. A runtime without an image is not offered. Commands run beside Node's worker. */
export function podRuntimes({ node }: InstanceImages): Record<string, PodRuntime> {
  return { node: { image: node, worker: null }, custom: { image: node, worker: customWorker(`/${NODE}`, `/${PROGRAMS}`) } };
}
