/** The environment variable of a supervisor that contains a `CgroupTree` as JSON; without it workers get no cgroups. */
export const CGROUP_VARIABLE = "BERTH_CGROUP";

export type Controller = "memory" | "cpu" | "pids";

/** Directories in which cgroups of workers may be made. A controller without a directory is not available. */
export interface CgroupTree {
  /** Of the kernel's interface: in version 2 all controllers have one directory. */
  version: 1 | 2;
  dirs: Partial<Record<Controller, string>>;
}

/** A setting of a cgroup's file, made in the order of their list; `optional`: not every kernel has the file. */
export interface CgroupSetting {
  controller: Controller;
  file: string;
  value: string;
  optional?: true;
}

/** The period in which a cgroup may use its share of processor time, in microseconds: the kernel's default. */
const PERIOD_US = 100_000;

/** The settings by which a cgroup enforces these limits. */
export function cgroupSettings(
  version: CgroupTree["version"],
  { memoryBytes, cpuMillis, pids }: { memoryBytes?: number; cpuMillis?: number; pids?: number },
): CgroupSetting[] {
  const settings: CgroupSetting[] = [];
  const set = (controller: Controller, file: string, value: string | number, optional?: true) =>
    settings.push({ controller, file, value: String(value), ...(optional && { optional }) });
  if (memoryBytes !== undefined && version === 2) {
    set("memory", "memory.max", memoryBytes);
    set("memory", "memory.swap.max", 0, true);
    // A function of which the kernel has ended one process is in no state to go on.
    set("memory", "memory.oom.group", 1, true);
  } else if (memoryBytes !== undefined) {
    set("memory", "memory.limit_in_bytes", memoryBytes);
    set("memory", "memory.memsw.limit_in_bytes", memoryBytes, true);
    // The kernel would end one process: they wait instead, until the supervisor ends all of them.
    set("memory", "memory.oom_control", 1, true);
  }
  if (cpuMillis !== undefined && version === 2) set("cpu", "cpu.max", `${quotaOf(cpuMillis)} ${PERIOD_US}`);
  else if (cpuMillis !== undefined) {
    set("cpu", "cpu.cfs_period_us", PERIOD_US);
    set("cpu", "cpu.cfs_quota_us", quotaOf(cpuMillis));
  }
  if (pids !== undefined) set("pids", "pids.max", pids);
  return settings;
}

/** Microseconds of each period. The kernel accepts no less than one millisecond. */
function quotaOf(cpuMillis: number): number {
  return Math.max(1000, (cpuMillis * PERIOD_US) / 1000);
}

/** Whether processes of a cgroup were ended for memory, or wait for some, from `memory.events` or `memory.oom_control`. */
export function isOutOfMemory(text: string): boolean {
  return /^(oom_kill|under_oom) [1-9]\d*$/m.test(text);
}
