import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { DIR } from "./layout.ts";

const STATE_SIZE = "8g";

/** State in memory: a cluster that ends with the machine needs no disk, and writing back its layers took a tenth of each pod's start. */
export function mountState(): void {
  mkdirSync(DIR, { recursive: true, mode: 0o700 });
  if (mounts().includes(DIR)) return;
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${STATE_SIZE},mode=0700`, "berth-cluster", DIR], { timeout: 10_000 });
}

/** `failed` receives each mount that stays. */
export function unmountState(failed: (mount: string) => void): void {
  const ours = mounts().filter((path) => path === DIR || path.startsWith(`${DIR}/`));
  for (const mount of ours.reverse()) {
    try {
      execFileSync("umount", ["-l", mount], { stdio: "ignore", timeout: 10_000 });
    } catch {
      failed(mount);
    }
  }
}

function mounts(): string[] {
  const lines = readFileSync("/proc/mounts", "utf8").split("\n");
  return lines.map((line) => line.split(" ")[1] ?? "");
}
