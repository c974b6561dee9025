import { readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A cgroup that still has a process cannot be removed; killed processes end within moments. */
const REMOVE_EVERY_MS = 50;
const REMOVE_TRIES = 40;

/** The names of the cgroups in a cgroup; empty if it is gone. */
export function cgroupsIn(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Removes a cgroup with those in it, the innermost first; false: one of them has a process. */
export function removeCgroup(dir: string): boolean {
  for (const name of cgroupsIn(dir)) removeCgroup(join(dir, name));
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

/**
 * Removes cgroups, and those in them, once their last processes have ended. `list` names them before each try. Cgroups that
 * still have a process after two seconds stay. `ref`: whether the wait keeps this process alive.
 */
export async function removeCgroups(list: () => readonly string[], { ref = false } = {}): Promise<void> {
  for (let tries = REMOVE_TRIES; tries > 0; tries--) {
    if (list().filter((dir) => !removeCgroup(dir)).length === 0) return;
    await sleep(REMOVE_EVERY_MS, undefined, { ref });
  }
}
