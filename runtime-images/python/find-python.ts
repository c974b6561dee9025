import { execFile } from "node:child_process";

export interface Python {
  /** Absolute path of the interpreter itself: a shim in front of it would take a part of every start. */
  program: string;
  version: string;
}

const PROBE = "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])";
const PROBE_MS = 10_000;
const OLDEST_MINOR = 11;

/** The machine's `python3`, or what BERTH_PYTHON names. If it cannot be used, the reason. */
export function findPython(): Promise<Python | string> {
  const name = process.env.BERTH_PYTHON || "python3";
  return new Promise((resolve) => {
    execFile(name, ["-I", "-S", "-c", PROBE], { timeout: PROBE_MS }, (error, stdout) => {
      const [program = "", version = ""] = stdout.trim().split("\n");
      const [major, minor] = version.split(".").map(Number);
      if (error || !minor) return resolve(`${name} does not run: ${error?.message.split("\n")[0] ?? "it printed no version"}`);
      if (major !== 3 || minor < OLDEST_MINOR) return resolve(`${name} is ${version}, and 3.${OLDEST_MINOR} or newer is needed`);
      resolve({ program, version });
    });
  });
}
