import { readFileSync } from "node:fs";

/** Where a container sees its own counters, by the version of the kernel's interface. */
const FILES = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];

/** How many processes the kernel has ended because the container of this process, or the machine without one, was out of memory. */
export function containerKills(files: readonly string[] = FILES): number {
  for (const file of files) {
    try {
      return Number(/^oom_kill (\d+)$/m.exec(readFileSync(file, "utf8"))?.[1] ?? 0);
    } catch {
      // The other version.
    }
  }
  return 0;
}
