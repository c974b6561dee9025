// Installs the Node that runs functions, for this machine's system. Without it functions run on the machine's own Node.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildOptional, lastLine } from "../build/optional-part.mjs";

const BINARY = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "binary");
const INSTALL_MS = 120_000;

export function buildNode() {
  const { packages } = JSON.parse(readFileSync(join(BINARY, "package-lock.json"), "utf8"));
  const [path, wanted] = Object.entries(packages).find(([, { os, cpu }]) => os?.includes(process.platform) && cpu?.includes(process.arch)) ?? [];
  if (path === undefined) return;
  buildOptional({
    part: `Node ${wanted.version} for functions`,
    missing: join(BINARY, "missing"),
    isBuilt: () => versionIn(join(BINARY, path)) === wanted.version,
    build() {
      try {
        const args = ["ci", "--prefix", BINARY, "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries", "1"];
        execFileSync("npm", args, { stdio: ["ignore", "ignore", "pipe"], timeout: INSTALL_MS, encoding: "utf8" });
      } catch (error) {
        return `npm could not install it: ${lastLine(error)}`;
      }
      return versionIn(join(BINARY, path)) === wanted.version ? null : "its package could not be installed";
    },
  });
}

function versionIn(dir) {
  const file = join(dir, "package.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version : null;
}
