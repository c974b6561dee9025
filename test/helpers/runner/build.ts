import { execFileSync } from "node:child_process";

/** Tests run what users run: the bundles. */
export default function setup(): void {
  execFileSync(process.execPath, ["build.mjs"], { stdio: "inherit" });
}
