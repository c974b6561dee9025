import { existsSync } from "node:fs";
import { join } from "node:path";
import type { WorkerCommand } from "../protocol/worker.ts";
import { findPython, type Python } from "./find-python.ts";

/** Isolated from the user's environment and site-packages, and without writing bytecode beside a function's files. */
const FLAGS = ["-I", "-S", "-B"];

/** The command of a worker: `main` is the program that the build has left. */
export function pythonCommand(program: string, main: string): string[] {
  return [program, ...FLAGS, main];
}

export interface PythonWorker {
  worker: WorkerCommand;
  python: Python;
}

/** How a worker of Python is started; `dist` is what the build has left. If there is none on this machine, the reason. */
export async function pythonWorker(dist: string): Promise<PythonWorker | string> {
  const main = join(dist, "main.py");
  if (!existsSync(main)) return `${main} is missing: npm run build creates it where python3 (3.11 or newer) has pip`;
  const python = await findPython();
  return typeof python === "string" ? python : { worker: { command: pythonCommand(python.program, main), env: {} }, python };
}
