import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../helpers/free-port.ts";
import { type Act, fault, pause } from "../acts/act.ts";
import type { History } from "../history.ts";
import { BerthProcess } from "./berth-process.ts";
import { eventReader, type Installation, MANAGER_FLAGS } from "./installation.ts";
import { Routers } from "./routers.ts";

const ROUTERS = 2;
/** A paused pool manager is noticed by its routers, and not taken for ended by anybody. */
const PAUSE_MS = 3000;
/** Until routers have heard of a new pool manager, and it of them. */
const SETTLE_MS = 1500;
/** Killed processes end as soon as the kernel gets to it. */
const GONE_MS = 5000;

/** Manifests of images are short; layers of code need not be read. */
const MANIFEST_BYTES = 4096;

/** A pool manager and routers, and instances as processes: they live as long as their pool manager. */
export class Embedded implements Installation {
  readonly host = "127.0.0.1";
  readonly routers: Routers;
  readonly #history: History;
  readonly #random: () => number;
  readonly #stateDir = mkdtempSync(join(tmpdir(), "berth-soak-"));
  readonly #port: number;
  #manager: BerthProcess | null = null;

  private constructor(history: History, random: () => number, port: number) {
    this.#history = history;
    this.#random = random;
    this.#port = port;
    this.routers = new Routers(history, () => ["--url", this.manageUrl()]);
  }

  static async start(history: History, random: () => number): Promise<Embedded> {
    const embedded = new Embedded(history, random, await freePort());
    await embedded.#startManager();
    for (let n = 0; n < ROUTERS; n++) await embedded.routers.start(n);
    return embedded;
  }

  manageUrl(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  acts(): Act[] {
    return [
      ...this.routers.acts(this.#random),
      { name: "pool manager: restarted", weight: 2, run: () => this.#replaceManager("SIGTERM") },
      { name: "pool manager: killed", weight: 2, run: () => this.#replaceManager("SIGKILL") },
      { name: "pool manager: paused", weight: 3, run: () => this.#pauseManager() },
      { name: "instance: killed", weight: 4, run: () => this.#killInstance() },
    ];
  }

  processes(): { of: string; process: BerthProcess }[] {
    return [...(this.#manager ? [{ of: "pool manager", process: this.#manager }] : []), ...this.routers.processes];
  }

  async places(): Promise<number> {
    return this.#supervisors().size;
  }

  async images(): Promise<string[]> {
    const blobs = join(this.#stateDir, "images", "blobs", "sha256");
    const manifests = readdirSync(blobs).filter((name) => {
      const path = join(blobs, name);
      return statSync(path).size < MANIFEST_BYTES && readFileSync(path, "utf8").includes('"layers":');
    });
    return manifests.map((name) => `sha256:${name}`);
  }

  ledMs(): number {
    return Date.now() - (this.#manager?.startedAt ?? Date.now());
  }

  async close(): Promise<string[]> {
    await this.routers.close();
    await this.#manager?.end("SIGTERM");
    for (const deadline = Date.now() + GONE_MS; this.#owned().length > 0 && Date.now() < deadline; ) await pause(50);
    const left = this.#owned();
    for (const { pid } of left) process.kill(pid, "SIGKILL");
    rmSync(this.#stateDir, { recursive: true, force: true });
    return left.map(({ pid, uid }) => `process ${pid} of instance ${uid}`);
  }

  async #startManager(): Promise<void> {
    const args = ["manager", "--api-port", String(this.#port), "--state-dir", this.#stateDir, ...MANAGER_FLAGS];
    this.#manager = await BerthProcess.start(args, /^berth ready/, eventReader(this.#history, "pool manager"));
  }

  async #replaceManager(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    await fault(this.#history, `pool manager: ${signal}`, { ends: ["manager", "instances"] }, async () => {
      await this.#manager?.end(signal);
      await this.#startManager();
    });
    await pause(SETTLE_MS);
  }

  async #pauseManager(): Promise<void> {
    await fault(this.#history, "pool manager: paused", { stalls: ["manager"] }, async () => {
      this.#manager?.signal("SIGSTOP");
      await pause(PAUSE_MS);
      this.#manager?.signal("SIGCONT");
    });
    await pause(SETTLE_MS);
  }

  async #killInstance(): Promise<void> {
    const all = [...this.#supervisors()];
    const [uid, pid] = all[Math.floor(this.#random() * all.length)] ?? [];
    if (!uid || !pid) return;
    await fault(this.#history, `instance ${uid}: killed`, { ends: [`instance:${uid}`] }, async () => {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself meanwhile.
      }
    });
  }

  /** The first process of each instance, by the instance's uid. */
  #supervisors(): Map<string, number> {
    const owned = this.#owned();
    const pids = new Set(owned.map(({ pid }) => pid));
    return new Map(owned.filter(({ parent }) => !pids.has(parent)).map(({ uid, pid }) => [uid, pid]));
  }

  /** Every process of an instance of this installation. */
  #owned(): { pid: number; parent: number; uid: string }[] {
    const found: { pid: number; parent: number; uid: string }[] = [];
    for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
      try {
        const environment = readFileSync(`/proc/${name}/environ`, "latin1");
        if (!environment.includes(`BERTH_INSTANCE_DIR=${this.#stateDir}/`)) continue;
        const uid = /(?:^|\0)BERTH_INSTANCE_UID=([^\0]+)/.exec(environment)?.[1] ?? "";
        const status = readFileSync(`/proc/${name}/status`, "latin1");
        if (!/^State:\s+Z/m.test(status)) found.push({ pid: Number(name), parent: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]), uid });
      } catch {
        // It has ended meanwhile, or is not ours to read.
      }
    }
    return found;
  }
}
