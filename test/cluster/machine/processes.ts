import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { at } from "./layout.ts";
export const READY_MS = 90_000;
const STOP_MS = 10_000;

export interface Daemon {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
  /** True once it does its work; asked until it is, or until `READY_MS` have passed. */
  ready(): Promise<boolean>;
}

/** Starts a daemon that outlives us, unless it runs; its output goes to a log file. */
export function start({ name, command, args, env = {} }: Daemon): boolean {
  if (pidOf(name)) return false;
  mkdirSync(at("logs"), { recursive: true });
  mkdirSync(at("pids"), { recursive: true });
  const log = openSync(at("logs", `${name}.log`), "a");
  // Seldom collected: the machine has memory, and its two cores are what is measured.
  const inherited = { PATH: process.env.PATH ?? "", HOME: at(), GOGC: "400" };
  const child = spawn(command, args, { detached: true, stdio: ["ignore", log, log], env: { ...inherited, ...env }, cwd: at() });
  child.on("error", () => {});
  if (!child.pid) throw new Error(`${command} could not be started`);
  child.unref();
  writeFileSync(pidFile(name), `${child.pid} ${startTime(child.pid)}`);
  return true;
}

/**
 * Waits until a daemon that was started does its work; one that ends is started again, as whoever keeps daemons does: a
 * kubelet ends where its containerd answers and is not ready yet. Rejects with the end of its log.
 */
export async function settled(daemon: Daemon): Promise<void> {
  const { name } = daemon;
  const done = await until(async () => !start(daemon) && (await daemon.ready()), READY_MS);
  if (done && pidOf(name)) return;
  const log = readFileSync(at("logs", `${name}.log`), "utf8")
    .split("\n")
    .slice(-20)
    .join("\n");
  throw new Error(`${name} ${done ? "has ended" : `was not ready within ${READY_MS / 1000} s`}:\n${log}`);
}

/** The pid of a daemon of ours that is alive. A pid alone may have been given to someone else meanwhile. */
export function pidOf(name: string): number | null {
  if (!existsSync(pidFile(name))) return null;
  const [pid, started] = readFileSync(pidFile(name), "utf8").split(" ");
  return startTime(Number(pid)) === started ? Number(pid) : null;
}

export async function stop(name: string): Promise<boolean> {
  const pid = pidOf(name);
  if (pid) {
    process.kill(pid, "SIGTERM");
    process.kill(pid, "SIGCONT");
    if (!(await until(async () => pidOf(name) === null, STOP_MS))) process.kill(pid, "SIGKILL");
    await until(async () => pidOf(name) === null, STOP_MS);
  }
  rmSync(pidFile(name), { force: true });
  return pid !== null;
}

export async function until(check: () => Promise<boolean>, ms: number): Promise<boolean> {
  for (const deadline = Date.now() + ms; Date.now() < deadline; ) {
    if (await check().catch(() => false)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

function pidFile(name: string): string {
  return at("pids", name);
}

/** When a process started, in clock ticks since boot (proc(5), stat, field 22); empty: it is not there, or dead. */
function startTime(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    return fields[0] === "Z" ? "" : (fields[19] ?? "");
  } catch {
    return "";
  }
}
