import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CgroupTree, type Controller, cgroupSettings, isOutOfMemory } from "../../cgroups/cgroup.ts";
import { removeCgroups } from "../../cgroups/remove.ts";
import type { Resources } from "../../protocol/messages.ts";

/** The cgroup of one worker and the processes that it starts: one directory, or one for each controller. */
export class WorkerCgroup {
  readonly #version: CgroupTree["version"];
  readonly #dirs: Partial<Record<Controller, string>>;

  private constructor(version: CgroupTree["version"], dirs: Partial<Record<Controller, string>>) {
    this.#version = version;
    this.#dirs = dirs;
  }

  /** Makes a cgroup and moves a process, which has just started, into it. Throws the kernel's refusal. */
  static create({ version, dirs }: CgroupTree, name: string, pid: number): WorkerCgroup {
    const own = Object.fromEntries(Object.entries(dirs).map(([controller, dir]) => [controller, join(dir, name)]));
    const cgroup = new WorkerCgroup(version, own);
    try {
      for (const dir of cgroup.#directories()) {
        mkdirSync(dir);
        writeFileSync(join(dir, "cgroup.procs"), String(pid));
      }
    } catch (error) {
      cgroup.remove();
      throw error;
    }
    return cgroup;
  }

  /** Whether the kernel keeps limits of this kind here. */
  has(controller: Controller): boolean {
    return this.#dirs[controller] !== undefined;
  }

  /** Sets the limits whose controllers are available. Throws the kernel's refusal. */
  limit(resources: Resources): void {
    for (const { controller, file, value, optional } of cgroupSettings(this.#version, resources)) {
      const dir = this.#dirs[controller];
      if (dir === undefined) continue;
      try {
        writeFileSync(join(dir, file), value);
      } catch (error) {
        if (!optional) throw error;
      }
    }
  }

  /** Whether its limit of memory was reached, so that the kernel has ended a process of it, or lets them wait. */
  isOutOfMemory(): boolean {
    const { memory } = this.#dirs;
    if (memory === undefined) return false;
    try {
      return isOutOfMemory(readFileSync(join(memory, this.#version === 2 ? "memory.events" : "memory.oom_control"), "utf8"));
    } catch {
      return false;
    }
  }

  /** Removes the cgroup, once its last process has ended. A cgroup that is left after the bound is removed with the instance. */
  remove(): void {
    void removeCgroups(() => this.#directories());
  }

  #directories(): string[] {
    return [...new Set(Object.values(this.#dirs))];
  }
}
