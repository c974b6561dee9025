import type { PodRuntime } from "./clonesets/manifests.ts";

/** References of the images that pods are made of, as `berth images` pushes them. */
export interface InstanceImages {
  node: string;
  /** Of a code container without a function. */
  idle: string;
}

/** What a pod of each runtime consists of. A runtime without an image is not offered. */
export function podRuntimes({ node }: InstanceImages): Record<string, PodRuntime> {
  return { node: { image: node, worker: null } };
}
