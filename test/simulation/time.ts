import { random } from "../../bench/driver.ts";
import type { Clock } from "../../pool-manager/async/clock.ts";

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
  readonly #heap: Event[] = [];

  constructor(seed: number) {
    this.random = random(seed);
  }

  readonly now = (): number => this.#now;

  readonly after = (ms: number, run: () => void): (() => void) => {
    const event: Event = { at: this.#now + Math.max(0, ms), order: this.#order++, run, cancelled: false };
    this.#push(event);
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
    let event = this.#heap[0];
    while (event?.cancelled) {
      this.#pop();
      event = this.#heap[0];
    }
    if (!event || event.at > until) {
      this.#now = Math.max(this.#now, until);
      return false;
    }
    this.#pop();
    this.#now = Math.max(this.#now, event.at);
    event.run();
    return true;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let i = heap.push(event) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(event, heap[parent] as Event)) break;
      heap[i] = heap[parent] as Event;
      i = parent;
    }
    heap[i] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child += 1;
      if (!before(heap[child] as Event, last)) break;
      heap[i] = heap[child] as Event;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
