import type { SoakFunction } from "../load/functions.ts";
import { isRolling } from "../load/functions.ts";
import { type Act, pause } from "./act.ts";

/** A rollout of two steps is through by then, on a slow machine, with a new pool manager in between, and with a node that is lost for most of a minute. */
const ROLLOUT_MS = 120_000;
const BURST = 30;

export interface FunctionActsOptions {
  functions: readonly SoakFunction[];
  random: () => number;
  burst: (name: string, count: number) => void;
  setPool: (size: number) => Promise<void>;
  poolSize: number;
}

/** Acts of users: deployments, rollouts, scaling, deletions. */
export class FunctionActs {
  readonly #options: FunctionActsOptions;

  constructor(options: FunctionActsOptions) {
    this.#options = options;
  }

  acts(): Act[] {
    const on = (name: string, weight: number, run: (fn: SoakFunction) => Promise<void>): Act => ({ name, weight, run: () => run(this.#any()) });
    return [
      on("deployed", 6, (fn) => fn.deploy(this.#manifest())),
      on("deployed again after a deletion", 2, (fn) => this.#again(fn)),
      on("scaled", 4, (fn) => fn.patch(this.#scale())),
      on("rolled back", 2, (fn) => fn.rollback()),
      on("rolled out", 4, (fn) => this.#rollOut(fn)),
      on("rolled out, and undone", 2, (fn) => this.#undo(fn)),
      on("rolled out with code that does not load", 2, (fn) => this.#rollOutBroken(fn)),
      on("canary, and its end", 3, (fn) => this.#canary(fn)),
      on("burst", 4, async ({ name }) => this.#options.burst(name, BURST)),
      { name: "pool resized", weight: 2, run: () => this.#resize() },
    ];
  }

  /** Each for the first time. */
  async begin(): Promise<void> {
    for (const fn of this.#options.functions) await fn.deploy(this.#manifest());
  }

  async end(): Promise<void> {
    await this.#options.setPool(this.#options.poolSize);
    for (const fn of this.#options.functions) await fn.delete();
  }

  #any(): SoakFunction {
    const { functions, random } = this.#options;
    return functions[Math.floor(random() * functions.length)] as SoakFunction;
  }

  #pick<T>(...of: readonly T[]): T {
    return of[Math.floor(this.#options.random() * of.length)] as T;
  }

  #scale(): { minScale: number; maxScale: number } {
    return { minScale: this.#pick(0, 0, 1, 2), maxScale: this.#pick(2, 3) };
  }

  #manifest(rollout: object | null = null): object {
    const limits = { concurrency: this.#pick(2, 5, 20), idleTimeout: this.#pick("3s", "8s", "30s"), timeout: "20s", queueTimeout: "60s" };
    return { ...this.#scale(), ...limits, rollout };
  }

  async #again(fn: SoakFunction): Promise<void> {
    await fn.delete();
    await pause(1000 + 2000 * this.#options.random());
    await fn.deploy(this.#manifest());
  }

  #policy(): object {
    return { steps: [this.#pick<number | string>(1, "25%"), "50%"], interval: this.#pick("500ms", "2s"), maxErrors: 100 };
  }

  async #rollOut(fn: SoakFunction): Promise<void> {
    await fn.deploy(this.#manifest(this.#policy()));
    if (this.#pick(true, false)) {
      await fn.steer("pause");
      await pause(2000);
      await fn.steer("resume");
    }
    await this.#end(fn);
  }

  async #undo(fn: SoakFunction): Promise<void> {
    await fn.deploy(this.#manifest(this.#policy()));
    await pause(3000 * this.#options.random());
    await fn.steer("undo");
    await this.#end(fn);
  }

  async #rollOutBroken(fn: SoakFunction): Promise<void> {
    const before = await fn.view();
    if (isRolling(before)) return;
    await fn.deployBroken(this.#manifest(this.#policy()));
    await this.#end(fn);
    const { revision, rolling } = await fn.view();
    if (revision !== before.revision) throw new Error(`${fn.name} is ${revision} (${rolling?.state}), whose code does not load, instead of ${before.revision}`);
  }

  /** A rollout that is over; one that is not by then is undone, and told. */
  async #end(fn: SoakFunction): Promise<void> {
    if (await fn.rolledOut(ROLLOUT_MS)) return;
    const { rolling } = await fn.view();
    await fn.steer("undo");
    throw new Error(`the rollout of ${fn.name} has not ended within ${ROLLOUT_MS / 1000} s: ${JSON.stringify(rolling)}`);
  }

  async #canary(fn: SoakFunction): Promise<void> {
    await fn.deploy({ ...this.#manifest(), canary: 30 });
    await pause(3000);
    const { revision, split } = await fn.view();
    const [other = revision] = Object.keys(split);
    await fn.traffic(this.#pick<object>({ active: other, split: {} }, { split: {} }));
  }

  async #resize(): Promise<void> {
    const { setPool, poolSize } = this.#options;
    await setPool(this.#pick(poolSize, poolSize + 1, poolSize + 2));
  }
}
