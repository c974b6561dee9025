import { random } from "../../bench/driver.ts";
import type { Clock } from "../../pool-manager/async/clock.ts";
import { Heap } from "../helpers/heap.ts";

interface Event {
  at: number;
  order: number;
  run: () => void;
  cancelled: boolean;
}

/** Node runs what promises have waited for between two immediates, and asks for I/O, which costs as much as an event, after the last of them. */
const TURNS = 100;

/** Virtual time: events happen in order of their time, and nothing happens in between. */
export class VirtualTime implements Clock {
  readonly random: () => number;
  #now = 0;
  #order = 0;
  readonly #heap = new Heap<Event>(before);

  constructor(seed: number) {
    this.random = random(seed);
  }

  readonly now = (): number => this.#now;

  readonly after = (ms: number, run: () => void): (() => void) => {
    const event: Event = { at: this.#now + Math.max(0, ms), order: this.#order++, run, cancelled: false };
    this.#heap.put(event);
    return () => {
      event.cancelled = true;
    };
  };

  soon(run: () => void): void {
    this.after(0, run);
  }

  /** Time passes and nothing happens: what was due meanwhile is late. */
  skip(ms: number): void {
    this.#now += ms;
  }

  /** Uniform in [from, to). */
  between(from: number, to: number): number {
    return from + this.random() * (to - from);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.random() * items.length)];
  }

  /** Runs events until there is none before `until`; calls `settled` after each, when what it set off has run too. */
  run(until: number, settled: () => void = () => {}): Promise<void> {
    return new Promise((resolve, reject) => {
      let ran = false;
      let ended = false;
      const turn = () => {
        if (ended) return;
        try {
          if (ran) settled();
          ran = this.#runNext(until);
        } catch (error) {
          ran = false;
          reject(error);
        }
        ended = !ran;
        if (ended) resolve();
      };
      const turns = () => {
        for (let i = 0; i < TURNS; i++) setImmediate(turn);
        setImmediate(() => ended || turns());
      };
      turns();
    });
  }

  #runNext(until: number): boolean {
    let event = this.#heap.first;
    while (event?.cancelled) {
      this.#heap.take();
      event = this.#heap.first;
    }
    if (!event || event.at > until) {
      this.#now = Math.max(this.#now, until);
      return false;
    }
    this.#heap.take();
    this.#now = Math.max(this.#now, event.at);
    event.run();
    return true;
  }

  /** Acts at random intervals until then. */
  every(fromMs: number, toMs: number, act: () => void, until: number): void {
    this.after(this.between(fromMs, toMs), () => {
      act();
      if (this.now() < until) this.every(fromMs, toMs, act, until);
    });
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
