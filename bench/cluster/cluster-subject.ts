import { Agent } from "node:http";
import { fire, openLoop } from "../driver.ts";
import type { Progress } from "../scenarios.ts";
import { Subject } from "../subject.ts";
import { machineBusyMs, quiet } from "./machine.ts";
import { deleteNamespace, freshNamespace } from "./namespace.ts";
import { NODE, type Programs } from "./programs.ts";
import type { Costs, Tally } from "./tally.ts";

/** New functions that are invoked at the same moment. */
export const BURST = 20;

/** A Berth on the cluster in a namespace of its own, and what its starts have cost. */
export class ClusterSubject {
  readonly berth: Subject;
  readonly #namespace: string;
  readonly #poolSize: number;
  readonly #runtime: string;
  #next = 0;

  private constructor(berth: Subject, namespace: string, poolSize: number, runtime: string) {
    this.berth = berth;
    this.#namespace = namespace;
    this.#poolSize = poolSize;
    this.#runtime = runtime;
  }

  static async start(poolSize: number, loadPath: "inline" | "image", functions: number, programs: Programs = NODE): Promise<ClusterSubject> {
    const namespace = freshNamespace();
    const berth = await Subject.start(poolSize, ["--platform", "kruise", "--namespace", namespace, "--load-path", loadPath]);
    const subject = new ClusterSubject(berth, namespace, poolSize, programs.runtime);
    const manifests = await programs.manifests(berth);
    const deploy = (name: string, manifest: object) => berth.api.call("PUT", `/v1/functions/${name}`, manifest);
    for (const [i, manifest] of manifests.entries()) {
      await deploy(`first-${i}`, manifest);
      await (await fetch(`${berth.invokeUrl}/function/first-${i}`)).text();
    }
    for (let i = 0; i < functions; i++) await deploy(`f${i}`, { ...manifests[i % manifests.length], idleTimeout: "20s" });
    await subject.settled();
    return subject;
  }

  /** The pool is full, and the machine is done with what came before: refills, deletions, downloads ahead. */
  async settled(): Promise<void> {
    await this.berth.settled(this.#poolSize, this.#runtime);
    await quiet();
  }

  /** Functions that were never invoked before, at Poisson arrivals. */
  async invokeNew(name: string, count: number, rate: number, tally: Tally, progress: Progress, total: number): Promise<void> {
    const first = this.#next;
    this.#next += count;
    const before = await this.#costs();
    const shot = (i: number) => ({ url: `${this.berth.invokeUrl}/function/f${first + i}` });
    const onOutcome = ({ error, headers }: { error: string | null; headers: Record<string, unknown> }) => {
      tally.outcome(error, String(headers["x-berth-start"]));
      progress(name, tally.n, total);
    };
    tally.times.add(await openLoop({ rate, count, seed: first + 3, shot, onOutcome, timeoutMs: 120_000 }));
    await this.settled();
    tally.costs(before, await this.#costs());
  }

  /** The same one at a time, each on a full pool; its refill follows it. */
  async invokeAlone(name: string, count: number, tally: Tally, progress: Progress, total: number): Promise<void> {
    const agent = new Agent({ keepAlive: true });
    for (let i = 0; i < count; i++) {
      const before = await this.#costs();
      const { error, firstByteMs, headers } = await fire({ url: `${this.berth.invokeUrl}/function/f${this.#next++}` }, agent, performance.now(), 60_000);
      tally.outcome(error, String(headers["x-berth-start"]));
      tally.times.recordValue(Math.round(firstByteMs * 1000));
      progress(name, tally.n, total);
      await this.settled();
      tally.costs(before, await this.#costs());
    }
    agent.destroy();
  }

  async burst(tally: Tally): Promise<number> {
    const before = await this.#costs();
    const agent = new Agent({ keepAlive: true });
    const at = performance.now();
    const shots = Array.from({ length: BURST }, (_, i) => fire({ url: `${this.berth.invokeUrl}/function/f${i}` }, agent, at, 120_000));
    let slowest = 0;
    for (const { error, firstByteMs, headers } of await Promise.all(shots)) {
      tally.outcome(error, String(headers["x-berth-start"]));
      tally.times.recordValue(Math.round(firstByteMs * 1000));
      slowest = Math.max(slowest, firstByteMs);
    }
    agent.destroy();
    await this.settled();
    tally.costs(before, await this.#costs());
    return slowest;
  }

  async stop(): Promise<void> {
    await this.berth.stop();
    await deleteNamespace(this.#namespace);
  }

  async #costs(): Promise<Costs> {
    const { berth } = this;
    return { ownUs: berth.cpuUs(), machineMs: machineBusyMs(), writes: await berth.counter("berth_api_writes_total", 'purpose="claim"') };
  }
}
