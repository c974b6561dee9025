import { PlatformError } from "../../pool-manager/platform/platform.ts";
import type { FakeNetwork } from "../fakes/fake-network.ts";
import type { Tally } from "./tally.ts";
import type { VirtualTime } from "./time.ts";

/** Milliseconds that things take. */
const DELAYS = { boot: [50, 300], load: [3, 80], event: [0.1, 5], exit: [1, 20] } as const;

/** Between pool manager and platform: everything takes time, and while `faulty` things get lost, doubled and late. */
export class SimNetwork implements FakeNetwork {
  faulty = true;
  /** Until then no pool manager and the router reach one another. */
  cutOffUntil = 0;
  readonly #time: VirtualTime;
  readonly #tally: Tally;

  readonly #odds: Readonly<Record<string, number>>;

  /** `odds`: probabilities of faults that differ from the usual ones. */
  constructor(time: VirtualTime, tally: Tally, odds: Readonly<Record<string, number>> = {}) {
    this.#time = time;
    this.#tally = tally;
    this.#odds = odds;
  }

  get isCutOff(): boolean {
    return this.#time.now() < this.cutOffUntil;
  }

  now(): number {
    return this.#time.now();
  }

  deliver(what: keyof typeof DELAYS, effect: () => void): void {
    const [from, to] = DELAYS[what];
    const delay = this.#time.between(from, to);
    if (what === "event") {
      if (this.fault("event dropped", 0.03)) return;
      if (this.fault("event delayed", 0.05)) return void this.#time.after(delay + this.#time.between(20, 500), effect);
      if (this.fault("event duplicated", 0.03)) this.#time.after(delay + this.#time.between(0, 50), effect);
    }
    if (what === "boot" && this.fault("boot never ends", 0.01)) return;
    this.#time.after(delay, effect);
  }

  after(ms: number, effect: () => void): void {
    this.#time.after(ms, effect);
  }

  async call<T>(_what: string, work: () => T): Promise<T> {
    await this.#wait(this.#time.between(0.2, 3));
    if (this.fault("call lost", 0.02)) return this.#unreachable();
    if (this.fault("call slow", 0.03)) await this.#wait(this.#time.between(50, 800));
    if (this.fault("call duplicated", 0.02)) this.#time.after(this.#time.between(0, 60), () => attempt(work));
    const result = work();
    await this.#wait(this.#time.between(0.2, 3));
    if (this.fault("answer lost", 0.02)) return this.#unreachable();
    return result;
  }

  fault(name: string, probability: number): boolean {
    if (!this.faulty || !this.#time.chance(this.#odds[name] ?? probability)) return false;
    this.#tally.fault(name);
    return true;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#time.after(ms, resolve));
  }

  async #unreachable(): Promise<never> {
    await this.#wait(200);
    throw new PlatformError("UNREACHABLE", "lost on the network");
  }
}

function attempt(work: () => unknown): void {
  try {
    work();
  } catch {
    // No caller waits for the answer of a doubled call.
  }
}
