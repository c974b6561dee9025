import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const HERE = import.meta.dirname;

/** Installs the packages of the apps once. No install script runs: none of them needs one. */
export default function install(): void {
  const lock = join(HERE, "package-lock.json");
  const installed = join(HERE, "node_modules/.package-lock.json");
  if (existsSync(installed) && versions(installed) === versions(lock)) return;
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: HERE, stdio: "inherit", timeout: 300_000 });
}

/** The versions of the packages that every machine has: optional ones are those of one kind of machine. */
function versions(file: string): string {
  const { packages } = JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, { version?: string; optional?: boolean }> };
  const found = Object.entries(packages).filter(([path, { optional }]) => path !== "" && !optional);
  return JSON.stringify(found.map(([path, { version }]) => `${path} ${version}`).sort());
}
