import { readdirSync, readFileSync } from "node:fs";

/** The environment variable that marks every process of an instance from its start; children inherit it. */
export const INSTANCE_VARIABLE = "BERTH_INSTANCE_UID";

/** The same for every process of one worker. */
export const WORKER_ID_VARIABLE = "BERTH_WORKER_ID";

/**
 * Kills processes that functions have started and left behind in sessions of their own (browsers, for example), which no
 * signal to a process group reaches. They are recognized by the mark in their environment, which the kernel shows for
 * processes of the same user; a process that was started without the mark is not found. Does nothing on a system without
 * /proc. `marks`: values of `variable`, by default uids of instances.
 */
export function killLeftBehind(marks: ReadonlySet<string>, variable = INSTANCE_VARIABLE): void {
  for (const pid of processes()) {
    const mark = markOf(pid, variable);
    if (mark === null || !marks.has(mark)) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // The process has ended meanwhile.
    }
  }
}

function processes(): number[] {
  try {
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => pid > 1 && pid !== process.pid);
  } catch {
    return [];
  }
}

function markOf(pid: number, variable: string): string | null {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
    return variables.find((one) => one.startsWith(`${variable}=`))?.slice(variable.length + 1) ?? null;
  } catch {
    return null;
  }
}
