import { ManageClient } from "../../cli/manage-client.ts";
import { ActCounts, Lane, pause } from "./acts/act.ts";
import { FunctionActs } from "./acts/function-acts.ts";
import type { Balance, History } from "./history.ts";
import { SoakFunction } from "./load/functions.ts";
import { Load } from "./load/load.ts";
import { RunCounter } from "./load/run-counter.ts";
import { Embedded } from "./subject/embedded.ts";
import { type Installation, POOL_SIZE } from "./subject/installation.ts";
import { instancesAt, Watch } from "./subject/watch.ts";

/** Invocations per second, and functions: what the cluster of one machine can hold. */
const SIZE = { local: { rate: 15, functions: 5 }, kruise: { rate: 8, functions: 4 } } as const;
/** Pauses between changes of functions, and between faults. */
const CHANGES_MS = [300, 2500] as const;
const FAULTS_MS = [1500, 7000] as const;
const TELL_MS = 15_000;
/** With nothing deployed the pool has its size again by then: what is superfluous is drained and removed within the budget. */
const REST_MS = 90_000;
/** A change of the pool's size that has no answer is tried again for so long. */
const POOL_MS = 60_000;

export interface SoakOptions {
  history: History;
  /** Random numbers below 1 for each concurrent part, so that no part changes the numbers of another. */
  random: Record<"load" | "changes" | "faults", () => number>;
  platform: "local" | "kruise";
  say: (line: string) => void;
}

/** One run: an installation, its functions, invocations, changes and faults, until the time is over and everything has come to rest. */
export class Soak {
  readonly counts = new ActCounts();
  readonly #options: SoakOptions;
  readonly #counter: RunCounter;
  #installation: Installation | null = null;
  #stop: () => void = () => {};
  #rest: Omit<Balance, "strays"> | null = null;

  constructor(options: SoakOptions) {
    this.#options = options;
    this.#counter = new RunCounter(options.history);
  }

  async start(): Promise<void> {
    const { platform, history, random } = this.#options;
    this.#installation =
      platform === "local"
        ? await Embedded.start(history, random.faults)
        : await (await import("./subject/on-cluster.ts")).OnCluster.start(history, random.faults);
    await this.#counter.listen(this.#installation.host);
  }

  /** Ends the run early. */
  stop(): void {
    this.#stop();
  }

  async go(ms: number): Promise<void> {
    const { history, random, platform, say } = this.#options;
    const installation = this.#berth;
    const { rate, functions: count } = SIZE[platform];
    const functions = Array.from({ length: count }, (_, n) => new SoakFunction(`soak-${n + 1}`, history, () => installation.manageUrl(), this.#counter.url));
    const watch = new Watch(installation, history);
    let load: Load | null = null;
    const burst = (name: string, size: number) => load?.burst(name, size);
    const changes = new FunctionActs({ functions, random: random.changes, burst, setPool: (size) => this.#setPool(size), poolSize: POOL_SIZE });
    const names = functions.map(({ name }) => name);
    const teller = setInterval(() => say(`${load?.count ?? 0} invocations, ${load?.running ?? 0} of them run`), TELL_MS);
    try {
      await changes.begin();
      load = new Load({ history, random: random.load, functions: names, rate, routers: () => installation.routers.ready });
      const { counts } = this;
      const lanes = [
        new Lane({ acts: changes.acts(), random: random.changes, pauseMs: CHANGES_MS, counts, say }),
        new Lane({ acts: installation.acts(), random: random.faults, pauseMs: FAULTS_MS, counts, say }),
      ];
      await this.#wait(ms);
      say("the last acts and invocations end");
      await Promise.all(lanes.map((one) => one.end()));
      await load.end();
      await changes.end();
      this.#rest = await this.#atRest();
    } finally {
      clearInterval(teller);
      await load?.end();
      watch.close();
    }
  }

  /** Ends all that was started, and writes down what is left. */
  async close(): Promise<void> {
    const strays = (await this.#installation?.close()) ?? [];
    this.#counter.close();
    if (this.#rest) this.#options.history.add({ type: "balance", balance: { ...this.#rest, strays } });
  }

  get #berth(): Installation {
    if (!this.#installation) throw new Error("the soak has not started");
    return this.#installation;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#stop = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #setPool(size: number): Promise<void> {
    for (const deadline = Date.now() + POOL_MS; ; await pause(500)) {
      try {
        return void (await new ManageClient(this.#berth.manageUrl()).call("PATCH", "/v1/pools/node", { size }));
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }

  async #atRest(): Promise<Omit<Balance, "strays">> {
    const installation = this.#berth;
    for (const deadline = Date.now() + REST_MS; ; await pause(500)) {
      const rows = (await instancesAt(installation.manageUrl())) ?? [];
      const states: Record<string, number> = {};
      for (const { state } of rows) states[state] = (states[state] ?? 0) + 1;
      const places = await installation.places();
      const isAtRest = places === POOL_SIZE && rows.length === POOL_SIZE && states.prewarmed === POOL_SIZE;
      if (!isAtRest && Date.now() < deadline) continue;
      return { size: POOL_SIZE, states, places, images: await installation.images(), ledMs: installation.ledMs() };
    }
  }
}
