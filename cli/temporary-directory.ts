import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const existing = new Set<string>();
/** Processes that end at the same time may still write into it. */
const REMOVAL = { recursive: true, force: true, maxRetries: 3 } as const;

/** A directory of this process. It is removed by `removeDirectory`, and otherwise when the process exits, also by a second Ctrl-C. */
export function temporaryDirectory(prefix: string): string {
  if (existing.size === 0) process.once("exit", removeAll);
  const dir = mkdtempSync(join(tmpdir(), prefix));
  existing.add(dir);
  return dir;
}

/** Removes a directory of `temporaryDirectory`. */
export function removeDirectory(dir: string): void {
  rmSync(dir, REMOVAL);
  existing.delete(dir);
  if (existing.size === 0) process.off("exit", removeAll);
}

function removeAll(): void {
  for (const dir of existing) rmSync(dir, REMOVAL);
}
