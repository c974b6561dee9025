import { existsSync, readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";

/** The share of processor time that the hypervisor took away since the last call (steal); it invalidates the figures measured meanwhile. */
export function stolen(): number {
  if (!existsSync("/proc/stat")) return 0;
  const now = machineTimes();
  const delta = now.map((value, i) => value - (lastTimes[i] ?? 0));
  lastTimes = now;
  return (
    Math.round(
      (1000 * (delta[7] ?? 0)) /
        Math.max(
          1,
          delta.reduce((sum, value) => sum + value, 0),
        ),
    ) / 1000
  );
}
let lastTimes: number[] = [];

/** Clock ticks per second in /proc/PID/stat: 100 on every Linux that Node runs on. */
const TICKS = 100;

/** The processor time of a process so far, in microseconds. */
export function processCpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1e6;
}

/** Clock ticks of all processors since boot: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)). */
export function machineTimes(): number[] {
  const [first = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  return first.trim().split(/\s+/).slice(1, 9).map(Number);
}

export function machine(): Record<string, unknown> {
  const [first] = cpus();
  return { cpu: first?.model.trim(), cores: cpus().length, memoryGb: Math.round(totalmem() / 2 ** 30), os: process.platform, node: process.version };
}
