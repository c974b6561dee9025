import { join } from "node:path";
import { SOCKET_VARIABLE } from "../protocol/command-image.ts";
import type { WorkerCommand } from "../protocol/worker.ts";

/**
 * How a worker of the runtime `custom` is started, in a place where `node` is Node and `dist` has the programs of Node's
 * runtime. `socket`: where containers of images call; undefined: there are none.
 */
export function customWorker(node: string, dist: string, socket?: string): WorkerCommand {
  return { command: [node, join(dist, "custom.cjs")], env: socket === undefined ? {} : { [SOCKET_VARIABLE]: socket } };
}
