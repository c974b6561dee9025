import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../helpers/free-port.ts";
import { BERTH, berthProcess } from "../../helpers/routers.ts";
import { CACHE_DIR, clusterConfig } from "./subject.ts";

/** A start may have to wait until the Lease is free. */
const START_MS = 30_000;

export interface Manager {
  child: ChildProcess;
  url: string;
  said(): string;
}

/** The address and directory of a pool manager: its successor may use the same, so that routers find it. */
export interface Seat {
  port: number;
  stateDir: string;
}

/** Pool managers of one namespace, in processes of their own. */
export class Managers {
  readonly #namespace: string;
  readonly children: ChildProcess[] = [];

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  async seat(): Promise<Seat> {
    return { port: await freePort(), stateDir: mkdtempSync(join(tmpdir(), "berth-test-")) };
  }

  /** Resolves when it has said that. `program` may be another build of Berth. */
  async start(ready: RegExp, poolSize = 2, seat?: Seat, program = BERTH): Promise<Manager> {
    const { args, url } = this.#command(poolSize, seat ?? (await this.seat()));
    const { child, said } = await berthProcess(args, ready, START_MS, program);
    this.children.push(child);
    return { child, url, said };
  }

  /** One that ends by itself; resolves with its exit code, how long it took, and what it has said. Killed after `boundMs`. */
  async run(boundMs: number): Promise<{ code: number | null; tookMs: number; said: string }> {
    const { args } = this.#command(0, await this.seat());
    const from = performance.now();
    const child = spawn(process.execPath, [BERTH, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    this.children.push(child);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        said += chunk;
      });
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), boundMs);
    const [code] = (await once(child, "exit")) as [number | null];
    clearTimeout(timer);
    return { code, tookMs: performance.now() - from, said };
  }

  killAll(): void {
    for (const child of this.children) child.kill("SIGKILL");
  }

  #command(poolSize: number, { port, stateDir }: Seat): { args: string[]; url: string } {
    process.env.BERTH_CACHE_DIR ??= CACHE_DIR;
    const { kubeconfig, registry } = clusterConfig(this.#namespace);
    const own = ["--api-port", String(port), "--state-dir", stateDir, "--pool-size", String(poolSize), "--no-example", "--log-level", "info"];
    const cluster = ["--platform", "kruise", "--kubeconfig", kubeconfig ?? "", "-n", this.#namespace, "--registry", registry];
    return { args: ["manager", ...own, ...cluster], url: `http://127.0.0.1:${port}` };
  }
}

/** Resolves with its exit code. */
export async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const exit = once(child, "exit");
  child.kill(signal);
  return ((await exit) as [number | null])[0];
}
