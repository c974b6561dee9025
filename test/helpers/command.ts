import { execFile } from "node:child_process";
import { BERTH } from "./routers.ts";

/** How a command of Berth has ended. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `berth ARGS` with these variables beside the process's own. */
export function runCommand(args: readonly string[], variables: Record<string, string>): Promise<Ended> {
  const env = { ...process.env, ...variables, NO_COLOR: "1" };
  return new Promise((resolve) => {
    // The command starts as its first line starts it: Node 20 reads --env-file behind the program too, but not behind --.
    execFile(process.execPath, ["--", BERTH, ...args], { env }, (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }));
  });
}
