import { execFile } from "node:child_process";

export interface Python {
  /** Absolute path of the interpreter itself: a shim in front of it would take a part of every start. */
  program: string;
  /** Such as 3.11. */
  version: string;
  /** By which its bytecode is named, such as cpython-311. */
  cacheTag: string;
}

const PROBE = `
import sys
print(sys.executable, "%d.%d" % sys.version_info[:2], sys.implementation.name, sys.implementation.cache_tag, getattr(sys, "abiflags", ""), sep="\\n")`;
const PROBE_MS = 10_000;
const OLDEST_MINOR = 11;
/** In `sys.abiflags` of a build without the global interpreter lock. */
const FREE_THREADED = "t";

/** The machine's `python3`, or what BERTH_PYTHON names. If it cannot be used, the reason. */
export function findPython(): Promise<Python | string> {
  const name = process.env.BERTH_PYTHON || "python3";
  return new Promise((resolve) => {
    execFile(name, ["-I", "-S", "-c", PROBE], { timeout: PROBE_MS }, (error, stdout, stderr) => {
      const [program = "", version = "", implementation, cacheTag = "", flags = ""] = stdout.trim().split("\n");
      const [major, minor] = version.split(".").map(Number);
      if (error || !minor)
        return resolve(`${name} does not run: ${stderr.trim().split("\n").at(-1) || error?.message.split("\n")[0] || "it printed no version"}`);
      if (major !== 3 || minor < OLDEST_MINOR) return resolve(`${name} is ${version}, and 3.${OLDEST_MINOR} or newer is needed`);
      if (implementation !== "cpython") return resolve(`${name} is ${implementation} ${version}, and CPython is needed`);
      if (flags.includes(FREE_THREADED)) return resolve(`${name} is a free-threaded build of ${version}, and one with the interpreter lock is needed`);
      resolve({ program, version, cacheTag });
    });
  });
}
