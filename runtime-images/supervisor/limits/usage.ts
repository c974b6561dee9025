import { readdirSync, readFileSync } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

export interface Usage {
  /** Memory that is not a file's: of pages that processes share, each counts them. */
  memoryBytes: number;
  /** Processes and threads. */
  pids: number;
}

/** The most processes of a worker that are counted. */
const MAX_PROCESSES = 10_000;
/** The most files that are counted. */
const MAX_FILES = 50_000;

/**
 * The usage of a process and of those that it has started. A process whose parent has ended belongs to nobody any more,
 * and is not found. Zero on a system without /proc.
 */
export function usageOf(pid: number): Usage {
  const used: Usage = { memoryBytes: 0, pids: 0 };
  const found = [pid];
  for (let i = 0; i < found.length && i < MAX_PROCESSES; i++) {
    const one = found[i] as number;
    try {
      used.memoryBytes += memoryIn(readFileSync(`/proc/${one}/status`, "latin1"));
      for (const thread of readdirSync(`/proc/${one}/task`)) {
        used.pids += 1;
        for (const child of readFileSync(`/proc/${one}/task/${thread}/children`, "latin1").split(" ")) if (child) found.push(Number(child));
      }
    } catch {
      // The process or its thread has ended meanwhile.
    }
  }
  return used;
}

/** Anonymous and shared memory of a process, from `/proc/PID/status`, in bytes. */
export function memoryIn(status: string): number {
  let kib = 0;
  for (const [, amount] of status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm)) kib += Number(amount);
  return kib * 1024;
}

/** The room that the files below a directory take, in bytes; those beyond a number of files are not counted. */
export async function storageOf(dir: string): Promise<number> {
  let bytes = 0;
  let files = 0;
  const waiting = [dir];
  for (let next = waiting.pop(); next !== undefined && files < MAX_FILES; next = waiting.pop()) {
    // A function may remove what it has written at any time.
    for (const entry of await readdir(next, { withFileTypes: true }).catch(() => [])) {
      const path = join(next, entry.name);
      const stat = await lstat(path).catch(() => null);
      bytes += (stat?.blocks ?? 0) * 512;
      if (++files >= MAX_FILES) break;
      if (entry.isDirectory()) waiting.push(path);
    }
  }
  return bytes;
}
