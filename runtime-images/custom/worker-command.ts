import { join } from "node:path";
import type { WorkerCommand } from "../protocol/worker.ts";

/** How a worker of the runtime `custom` is started, in a place where `node` is Node and `dist` has the programs of Node's runtime. */
export function customWorker(node: string, dist: string): WorkerCommand {
  return { command: [node, join(dist, "custom.cjs")], env: {} };
}
