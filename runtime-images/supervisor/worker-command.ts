import { join } from "node:path";
import type { WorkerCommand } from "../protocol/worker.ts";

/** Flags of Node. vm.SourceTextModule, which accepts code caches of ES modules, requires a flag that prints a warning. */
const NODE_FLAGS = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];

/** Parses the value of `WORKER_VARIABLE`; without one, the command of Node's worker, which is in the supervisor's own directory. */
export function workerCommand(given: string | undefined): WorkerCommand {
  if (given !== undefined) return JSON.parse(given) as WorkerCommand;
  return { command: [process.execPath, ...NODE_FLAGS, join(__dirname, "worker.cjs")], env: { NODE_ENV: "production" } };
}
