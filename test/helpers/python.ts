import { resolve } from "node:path";
import type { WorkerCommand } from "../../runtime-images/protocol/worker.ts";
import { pythonWorker } from "../../runtime-images/python/worker-command.ts";

const found = await pythonWorker(resolve("runtime-images/python/dist"));
if (typeof found === "string") process.stderr.write(`NOT TESTED: the runtime python, since ${found}\n`);

/** How a Python worker is started; null: this machine has no Python for it, which has been said. */
export const PYTHON: WorkerCommand | null = typeof found === "string" ? null : found.worker;
