import { CGROUP_VARIABLE, type CgroupTree } from "../../cgroups/cgroup.ts";
import type { Resources } from "../../protocol/messages.ts";
import { containerKills } from "./container-kills.ts";
import { type Excess, excessOf, memoryExcess } from "./excess.ts";
import { storageOf, usageOf } from "./usage.ts";
import { WorkerCgroup } from "./worker-cgroup.ts";

/** How often the memory and the processes of a worker that has limits are measured: what it may exceed them by meanwhile is what it can allocate in this time. */
const MEASURE_MS = 100;
/** How often its files are counted. */
const COUNT_FILES_MS = 1000;

/**
 * The limits of one worker. The kernel keeps them where the worker has a cgroup; what it cannot keep there is measured, and
 * a worker above its limit is killed. A worker without limits is not measured.
 */
export class WorkerLimits {
  readonly #pid: number;
  readonly #home: string;
  readonly #kill: () => void;
  readonly #cgroup: WorkerCgroup | null;
  readonly #killsBefore = containerKills();
  #resources: Resources = {};
  #excess: Excess | null = null;
  #timers: NodeJS.Timeout[] = [];
  #counting = false;

  /** `name`: of its cgroup. `kill` ends the worker with the processes that it has started. */
  constructor(name: string, pid: number, home: string, kill: () => void) {
    this.#pid = pid;
    this.#home = home;
    this.#kill = kill;
    this.#cgroup = cgroupOf(name, pid);
  }

  /** Limits the worker from now on: it is about to load a function. */
  apply(resources: Resources): void {
    this.#resources = resources;
    const { memoryBytes, pids, storageBytes } = resources;
    const byKernel = this.#limitByKernel();
    const measured: Resources = {
      ...(memoryBytes !== undefined && !byKernel.memory && { memoryBytes }),
      ...(pids !== undefined && !byKernel.pids && { pids }),
    };
    // Where the kernel keeps the limit and has ended a process that the worker has started, the worker itself may still run.
    const isMeasured = Object.keys(measured).length > 0;
    if (isMeasured || memoryBytes !== undefined)
      this.#every(MEASURE_MS, () => this.#exceeded(this.#oomExcess() ?? (isMeasured ? excessOf(usageOf(this.#pid), measured) : null)));
    if (storageBytes !== undefined) this.#every(COUNT_FILES_MS, () => void this.#countFiles());
  }

  /** Why the worker has ended, or is about to; null: not because of its limits. */
  get excess(): Excess | null {
    this.#excess ??= this.#oomExcess();
    return this.#excess;
  }

  /** Why the kernel has killed a worker; null: somebody else has. In a pod the kernel keeps the limit of the container. */
  killed(): Excess | null {
    if (containerKills() === this.#killsBefore) return null;
    const { memoryBytes } = this.#resources;
    if (memoryBytes !== undefined) return memoryExcess(this.#resources);
    return { reason: "memory", message: "the function used more memory than its instance has" };
  }

  /** The worker has ended. */
  end(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    this.#cgroup?.remove();
  }

  #limitByKernel(): { memory: boolean; pids: boolean } {
    const cgroup = this.#cgroup;
    if (!cgroup) return { memory: false, pids: false };
    try {
      cgroup.limit(this.#resources);
      return { memory: cgroup.has("memory"), pids: cgroup.has("pids") };
    } catch (error) {
      process.stderr.write(`supervisor: the kernel refuses the limits of a worker, which is measured instead: ${(error as Error).message}\n`);
      return { memory: false, pids: false };
    }
  }

  #oomExcess(): Excess | null {
    if (this.#resources.memoryBytes === undefined || !this.#cgroup?.isOutOfMemory()) return null;
    return memoryExcess(this.#resources);
  }

  #every(ms: number, check: () => void): void {
    this.#timers.push(setInterval(check, ms).unref());
  }

  async #countFiles(): Promise<void> {
    if (this.#counting) return;
    this.#counting = true;
    const storageBytes = await storageOf(this.#home);
    this.#counting = false;
    this.#exceeded(excessOf({ storageBytes }, this.#resources));
  }

  #exceeded(excess: Excess | null): void {
    if (!excess || this.#timers.length === 0) return;
    this.#excess = excess;
    this.#kill();
  }
}

/** The cgroup of a worker; null: this instance has no tree of them, or the kernel refuses. */
function cgroupOf(name: string, pid: number): WorkerCgroup | null {
  const given = process.env[CGROUP_VARIABLE];
  if (given === undefined) return null;
  try {
    return WorkerCgroup.create(JSON.parse(given) as CgroupTree, name, pid);
  } catch (error) {
    process.stderr.write(`supervisor: a worker has no cgroup, and is measured instead: ${(error as Error).message}\n`);
    return null;
  }
}
