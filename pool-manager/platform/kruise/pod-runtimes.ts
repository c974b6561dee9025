import { customWorker } from "../../../runtime-images/custom/worker-command.ts";
import { COMMAND_SOCKET } from "../../../runtime-images/protocol/command-image.ts";
import { PYTHON_COMMAND } from "../../images/python-image.ts";
import { NODE, PROGRAMS } from "../../images/runtime-image.ts";
import type { PodRuntime } from "./clonesets/manifests.ts";

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
