import { readdirSync, readFileSync } from "node:fs";

/** Variable that every process of an instance has from its start; its children inherit it. */
export const INSTANCE_VARIABLE = "BERTH_INSTANCE_UID";

/**
 * Kills what functions of these instances have started and left behind in sessions of their own (browsers are such
 * children), where no signal to a process group reaches it. Such a process is known by its environment, which the kernel
 * shows of processes of the same user; one that was started with an environment without the mark is not found. Does
 * nothing where there is no /proc.
 */
export function killLeftBehind(uids: ReadonlySet<string>): void {
  for (const pid of processes()) {
    const uid = markOf(pid);
    if (uid === null || !uids.has(uid)) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
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

function markOf(pid: number): string | null {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
    return variables.find((one) => one.startsWith(`${INSTANCE_VARIABLE}=`))?.slice(INSTANCE_VARIABLE.length + 1) ?? null;
  } catch {
    return null;
  }
}
