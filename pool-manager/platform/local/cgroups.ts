import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CgroupTree, type Controller, cgroupSettings } from "../../../runtime-images/cgroups/cgroup.ts";
import { cgroupsIn, removeCgroup, removeCgroups } from "../../../runtime-images/cgroups/remove.ts";
import { type CgroupPlace, cgroupPlaces } from "./cgroup-places.ts";

/** The directory of a Berth names its process, and counts those of one process. */
const OWN = /^berth-(\d+)-\d+$/;
let opened = 0;

/** The settings of a trial cgroup. */
const TRIAL = { memoryBytes: 2 ** 30, cpuMillis: 1000, pids: 1000 };

/** The way in which the limits of functions are kept on this machine. */
export interface LimitSupport {
  cgroups: Cgroups | null;
  /** In words: what the kernel keeps, and what Berth measures. */
  summary: string;
}

/** The cgroups of the workers of an embedded Berth, in a directory of its own. */
export class Cgroups {
  readonly tree: CgroupTree;

  private constructor(tree: CgroupTree) {
    this.tree = tree;
  }

  /** Tries where cgroups can be made, by making one and moving a process into it, and removes what ended Berths have left there. */
  static async open(places = placesHere()): Promise<LimitSupport> {
    const dirs: CgroupTree["dirs"] = {};
    let version: CgroupTree["version"] = 2;
    let refused = process.env.BERTH_CGROUPS === "off" ? "BERTH_CGROUPS is off" : "this system has none";
    for (const place of places) {
      const missing = place.controllers.filter((controller) => dirs[controller] === undefined);
      if (missing.length === 0 || (Object.keys(dirs).length > 0 && place.version !== version)) continue;
      try {
        const found = await made(place);
        for (const controller of missing) if (found.controllers.includes(controller)) dirs[controller] = found.dir;
        version = place.version;
      } catch (error) {
        refused = (error as Error).message;
      }
    }
    const cgroups = Object.keys(dirs).length > 0 ? new Cgroups({ version, dirs }) : null;
    return { cgroups, summary: summaryOf(cgroups?.tree ?? null, refused) };
  }

  /** Removes the cgroups of an instance that has ended, once its last process has: a killed one ends within moments. */
  removeOf(uid: string): void {
    const own = (dir: string) => cgroupsIn(dir).filter((name) => name.startsWith(`${uid}.`));
    void removeCgroups(() => this.#directories().flatMap((dir) => own(dir).map((name) => join(dir, name))));
  }

  /** Removes everything; all instances have ended. A cgroup that still has a process after the bound is left to the next Berth. */
  close(): Promise<void> {
    return removeCgroups(() => this.#directories(), { ref: true });
  }

  #directories(): string[] {
    return [...new Set(Object.values(this.tree.dirs))];
  }
}

/** The directory of this Berth at a place, and the controllers that work there. Throws why there is none. */
async function made(place: CgroupPlace): Promise<{ dir: string; controllers: Controller[] }> {
  removeLeft(place.dir);
  const dir = join(place.dir, `berth-${process.pid}-${++opened}`);
  mkdirSync(dir, { recursive: true });
  try {
    const controllers = place.version === 1 ? place.controllers : enabled(place, dir);
    if (controllers.length === 0) throw new Error(`${place.dir} passes on none of memory, cpu and pids`);
    await tried(place.version, dir, controllers);
    return { dir, controllers };
  } catch (error) {
    removeCgroup(dir);
    throw error;
  }
}

/** Version 2: the controllers that a cgroup passes on to this Berth's, enabled for the cgroups in that. */
function enabled({ dir: parent, controllers, isOwn }: CgroupPlace, dir: string): Controller[] {
  const [there, passed] = ["cgroup.controllers", "cgroup.subtree_control"].map((file) => readFileSync(join(parent, file), "utf8").trim().split(" "));
  const offered = controllers.filter((one) => there?.includes(one));
  const missing = offered.filter((one) => !passed?.includes(one));
  // Of a cgroup that belongs to somebody else nothing is changed.
  if (missing.length > 0 && isOwn) writeFileSync(join(parent, "cgroup.subtree_control"), missing.map((one) => `+${one}`).join(" "));
  const usable = isOwn ? offered : offered.filter((one) => passed?.includes(one));
  if (usable.length > 0) writeFileSync(join(dir, "cgroup.subtree_control"), usable.map((one) => `+${one}`).join(" "));
  return usable;
}

/** Moves a process into a cgroup and limits it. Throws the kernel's refusal. */
async function tried(version: CgroupTree["version"], dir: string, controllers: readonly Controller[]): Promise<void> {
  const trial = join(dir, "trial");
  const child = spawn("sh", ["-c", "read line"], { stdio: ["pipe", "ignore", "ignore"] });
  const ended = once(child, "exit");
  try {
    mkdirSync(trial);
    writeFileSync(join(trial, "cgroup.procs"), String(child.pid));
    for (const { controller, file, value, optional } of cgroupSettings(version, TRIAL)) {
      if (controllers.includes(controller) && !optional) writeFileSync(join(trial, file), value);
    }
  } finally {
    child.stdin.end();
    child.kill("SIGKILL");
    await ended.catch(() => {});
    removeCgroup(trial);
  }
}

/** Removes the directories of Berths that have ended. */
function removeLeft(place: string): void {
  for (const name of cgroupsIn(place)) {
    const [, pid] = OWN.exec(name) ?? [];
    if (pid !== undefined && !isRunning(Number(pid))) removeCgroup(join(place, name));
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** `BERTH_CGROUPS=off`: Berth measures although cgroups could be made. */
function placesHere(): CgroupPlace[] {
  if (process.env.BERTH_CGROUPS === "off") return [];
  try {
    return cgroupPlaces(readFileSync("/proc/self/cgroup", "utf8"), readFileSync("/proc/self/mounts", "utf8"));
  } catch {
    return [];
  }
}

/** Without their controllers, memory and pids are measured, and cpu is not limited. */
function summaryOf(tree: CgroupTree | null, refused: string): string {
  const has = (controller: Controller) => tree?.dirs[controller] !== undefined;
  const kept = (["memory", "cpu", "pids"] as const).filter(has);
  const measured = [...(["memory", "pids"] as const).filter((one) => !has(one)), "ephemeralStorage"];
  const first = tree ? `the kernel keeps ${kept.join(", ")} (cgroup v${tree.version})` : `no cgroup can be made here: ${refused}`;
  return `${first}; Berth measures ${measured.join(", ")}${has("cpu") ? "" : "; cpu is not limited"}`;
}
