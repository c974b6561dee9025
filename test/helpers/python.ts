import { resolve } from "node:path";
import type { WorkerCommand } from "../../runtime-images/protocol/worker.ts";
import { compileWorker } from "../../runtime-images/python/bytecode.ts";
import { pythonWorker } from "../../runtime-images/python/worker-command.ts";

const DIST = resolve("runtime-images/python/dist");
const found = await pythonWorker(DIST);
// A start of Berth does the same. BERTH_PYTHON names another interpreter than that of the build.
const uncompiled = typeof found === "string" ? null : await compileWorker(DIST, found.python);
if (uncompiled !== null) throw new Error(uncompiled);
if (typeof found === "string") process.stderr.write(`NOT TESTED: the runtime python, since ${found}\n`);

/** Its version as a pair of numbers; null as `PYTHON` is. */
export const PYTHON_VERSION: readonly number[] | null = typeof found === "string" ? null : found.python.version.split(".").map(Number);

/** How a Python worker is started; null: this machine has no Python for it, which has been said. */
export const PYTHON: WorkerCommand | null = typeof found === "string" ? null : found.worker;
