import { customWorker } from "../../../runtime-images/custom/worker-command.ts";
import { COMMAND_SOCKET } from "../../../runtime-images/protocol/command-image.ts";
import type { SizeClasses } from "../../functions/manifest/size-classes.ts";
import { PYTHON_COMMAND } from "../../images/python-image.ts";
import { NODE, PROGRAMS } from "../../images/runtime-image.ts";
import type { PodPool, PodRuntime } from "./clonesets/manifests.ts";
import { classResources, poolResources } from "./resources/pod-resources.ts";

/** References of the images that pods are made of, as `berth images` pushes them. */
export interface InstanceImages {
  node: string;
  /** Null: the runtime python is not offered. */
  python: string | null;
  /** Of a code container without a function. */
  idle: string;
}

/** The parts of each runtime's pods. A runtime without an image is not offered. Commands run beside Node's worker. */
export function podRuntimes({ node, python }: InstanceImages): Record<string, PodRuntime> {
  return {
    node: { image: node, worker: null },
    custom: { image: node, worker: customWorker(`/${NODE}`, `/${PROGRAMS}`, COMMAND_SOCKET), runsImages: true },
    ...(python !== null && { python: { image: python, worker: { command: PYTHON_COMMAND, env: {} } } }),
  };
}

/** The parts of a pod of each pool. `memory`: the limit of pods of base pools, as a Kubernetes quantity. */
export function podPools(runtimes: Readonly<Record<string, PodRuntime>>, memory: string, classes: SizeClasses): Record<string, PodPool> {
  const pools = classes.poolsOf(Object.keys(runtimes)).map(({ name, runtime, sizeClass }): [string, PodPool] => {
    const resources = sizeClass === undefined ? poolResources(memory) : classResources(sizeClass);
    return [name, { ...(runtimes[runtime] as PodRuntime), resources }];
  });
  return Object.fromEntries(pools);
}
