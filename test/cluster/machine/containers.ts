import { readdirSync, readFileSync } from "node:fs";
import { type ClusterNode, containerdSocket } from "./layout.ts";

/** Shims outlive their containerd: those of the node's socket are ended, and what they ran with them. */
export function killContainers(node: ClusterNode): void {
  const shims = processesWith("containerd-shim", containerdSocket(node));
  const contained = processes().filter((pid) => ancestors(pid).some((parent) => shims.includes(parent)));
  for (const pid of [...contained, ...shims]) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
  }
}

function processesWith(program: string, argument: string): number[] {
  return processes().filter((pid) => {
    const line = readProc(pid, "cmdline");
    return line.includes(program) && line.includes(argument);
  });
}

function ancestors(pid: number): number[] {
  const parents: number[] = [];
  for (let at = pid; at > 1 && parents.length < 100; ) {
    at = Number(
      readProc(at, "stat")
        .replace(/^.*\) /s, "")
        .split(" ")[1] ?? 0,
    );
    parents.push(at);
  }
  return parents;
}

function processes(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}
