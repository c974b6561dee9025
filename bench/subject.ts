import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManageClient } from "../cli/manage-client.ts";
import type { InstanceRow } from "../pool-manager/api/schemas/schemas.ts";
import { packLayer } from "../pool-manager/images/layer.ts";
import { processCpuUs } from "./report/machine.ts";
import type { Footprint } from "./report/scenario.ts";
import { until } from "./wait.ts";

/** How long a pool may take to be full, and how often it is checked. */
const SETTLED = { boundMs: 120_000, everyMs: 100 };

interface SubjectOptions {
  poolSize: number;
  /** Additional options of `berth up`. */
  flags: readonly string[];
  stateDir: string;
}

/** A Berth in a process of its own, as users run it. */
export class Subject {
  readonly api: ManageClient;
  readonly invokeUrl: string;
  readonly #child: ChildProcess;
  readonly #options: SubjectOptions;

  private constructor(child: ChildProcess, options: SubjectOptions, invokeUrl: string, manageUrl: string) {
    this.#child = child;
    this.#options = options;
    this.invokeUrl = invokeUrl;
    this.api = new ManageClient(manageUrl);
  }

  /** `flags`: additional options of `berth up`. */
  static start(poolSize: number, flags: readonly string[] = []): Promise<Subject> {
    return Subject.#spawn({ poolSize, flags, stateDir: mkdtempSync(join(tmpdir(), "berth-bench-")) });
  }

  static async #spawn(options: SubjectOptions): Promise<Subject> {
    const { poolSize, flags, stateDir } = options;
    const own = ["--router-port", "0", "--api-port", "0", "--state-dir", stateDir, "--pool-size", String(poolSize), "--no-example", "--log-level", "error"];
    const child = spawn(process.execPath, ["dist/berth.js", "up", ...own, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
    const line = await new Promise<string>((resolve, reject) => {
      let text = "";
      child.stdout?.on("data", (chunk) => {
        text += chunk;
        if (/^berth ready.*$/m.test(text)) resolve(text);
      });
      child.once("exit", () => reject(new Error("berth did not start")));
    });
    const [, invokeUrl = "", manageUrl = ""] = /invoke (\S+) manage (\S+)/.exec(line) ?? [];
    return new Subject(child, options, invokeUrl, manageUrl);
  }

  async stop(): Promise<void> {
    await this.#end();
    rmSync(this.#options.stateDir, { recursive: true, force: true });
  }

  /** Stops it, and starts another one on its state directory; `readyMs` is the time from the start to `berth ready`. */
  async restart(): Promise<{ berth: Subject; readyMs: number }> {
    await this.#end();
    const began = performance.now();
    const berth = await Subject.#spawn(this.#options);
    return { berth, readyMs: performance.now() - began };
  }

  async #end(): Promise<void> {
    if (!this.isAlive) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    await ended;
  }

  /** Whether the process of pool manager and router is alive. */
  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async upload(source: string): Promise<string> {
    const tar = await packLayer([{ path: "index.mjs", data: new TextEncoder().encode(source) }]);
    return this.api.upload(tar);
  }

  async deploy(name: string, code: string, manifest: object = {}): Promise<void> {
    await this.api.call("PUT", `/v1/functions/${name}`, { ...manifest, code });
  }

  async instances(): Promise<InstanceRow[]> {
    return (await this.api.get<{ items: InstanceRow[] }>("/v1/instances")).items;
  }

  /** Waits until the runtime's pool is full and nothing else starts. */
  async settled(size: number, runtime = "node"): Promise<void> {
    const isSettled = async () => {
      const instances = await this.instances();
      const prewarmed = instances.filter(({ pool, state }) => pool === runtime && state === "prewarmed").length;
      return prewarmed >= size && !instances.some(({ state }) => state === "starting");
    };
    await until(isSettled, `the pool of ${runtime} reaches ${size}`, SETTLED);
  }

  /** The value of a counter, summed over its labels unless one is named. */
  async counter(name: string, label = ""): Promise<number> {
    const text = await (await fetch(`${this.api.url}/metrics`)).text();
    const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`) && line.includes(label));
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }

  /** The processor time of pool manager and router so far, in microseconds. */
  cpuUs(): number {
    return processCpuUs(Number(this.#child.pid));
  }

  /** Private memory in MB: of pool manager and router, or of an instance's processes. */
  memory(instance?: string): number {
    if (!instance) return privateMb(Number(this.#child.pid));
    return this.processesOf(instance).reduce((sum, pid) => sum + privateMb(pid), 0);
  }

  /** Memory of pool manager and router. */
  footprint(): Footprint {
    const pid = Number(this.#child.pid);
    return { privateMb: privateMb(pid), pssMb: memoryMb(pid, /^Pss: +(\d+)/gm) };
  }

  /** The processes of an instance, supervisor and workers, which are recognized by its directory in their environment. */
  processesOf(instance: string): number[] {
    const dir = join(this.#options.stateDir, "instances", instance);
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    return pids.map(Number).filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(dir);
      } catch {
        // The process has ended, or its environment may not be read.
        return false;
      }
    });
  }
}

export function privateMb(pid: number): number {
  return memoryMb(pid, /^Private_(?:Clean|Dirty): +(\d+)/gm);
}

/** The sum of the matching lines of smaps_rollup (proc(5)), in MB. */
function memoryMb(pid: number, lines: RegExp): number {
  const kb = [...readFileSync(`/proc/${pid}/smaps_rollup`, "latin1").matchAll(lines)].reduce((sum, match) => sum + Number(match[1]), 0);
  return Math.round(kb / 102.4) / 10;
}
