import { Heap } from "../helpers/heap.ts";

const NAMES = ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "setImmediate", "clearImmediate"] as const;

type Work = (...args: unknown[]) => void;
type Kind = "timeout" | "interval" | "immediate";

/** When a timer runs next, in the order of those of the same moment: immediates, then by age. */
interface Turn {
  at: number;
  kind: Kind;
  delayMs: number;
  since: number;
  id: number;
  timer: VirtualTimer;
}

function isBefore(a: Turn, b: Turn): boolean {
  if (a.at !== b.at) return a.at < b.at;
  if ((a.kind === "immediate") !== (b.kind === "immediate")) return a.kind === "immediate";
  return a.since === b.since ? a.id < b.id : a.since < b.since;
}

/** A handle like Node's `Timeout` and `Immediate`. */
class VirtualTimer {
  /** Null: it has run, or was cleared. */
  turn: Turn | null = null;
  readonly work: () => void;
  #hasRef = true;

  constructor(work: () => void) {
    this.work = work;
  }

  ref(): this {
    this.#hasRef = true;
    return this;
  }

  unref(): this {
    this.#hasRef = false;
    return this;
  }

  hasRef(): boolean {
    return this.#hasRef;
  }
}

/**
 * The timers of the process in virtual time. A heap finds the next one: vitest's fake timers compare all of them for
 * each, which takes a third of the time of a test with hundreds.
 */
export class VirtualTimers {
  now = 0;
  #count = 0;
  /** While timers run, a delay of zero is one of a millisecond: two timers cannot keep time from passing. */
  #isRunning = false;
  readonly #heap = new Heap<Turn>(isBefore);
  readonly #clearReal = clearTimeout;
  readonly #real = Object.fromEntries(NAMES.map((name) => [name, globalThis[name]]));

  /** Takes the place of the real ones until `uninstall`. */
  install(): void {
    const add =
      (kind: Kind) =>
      (work: Work, ms?: number, ...args: unknown[]) =>
        this.#add(kind, () => work(...args), ms);
    const clear = (timer: unknown) => {
      if (timer instanceof VirtualTimer) timer.turn = null;
      else this.#clearReal(timer as NodeJS.Timeout);
    };
    Object.assign(globalThis, {
      setTimeout: add("timeout"),
      setInterval: add("interval"),
      setImmediate: (work: Work, ...args: unknown[]) => add("immediate")(work, 0, ...args),
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate: clear,
    });
  }

  uninstall(): void {
    Object.assign(globalThis, this.#real);
  }

  /** When the next one is due; null: there is none. */
  next(): number | null {
    for (let first = this.#heap.first; first; first = this.#heap.first) {
      if (first.timer.turn === first) return first.at;
      this.#heap.take();
    }
    return null;
  }

  /** Runs all that are due, and throws the first error of them. */
  runDue(): void {
    const errors: unknown[] = [];
    this.#isRunning = true;
    for (let at = this.next(); at !== null && at <= this.now; at = this.next()) {
      try {
        this.#run(this.#heap.take() as Turn);
      } catch (error) {
        errors.push(error);
      }
    }
    this.#isRunning = false;
    if (errors.length > 0) throw errors[0];
  }

  #add(kind: Kind, work: () => void, ms: number | undefined): VirtualTimer {
    const timer = new VirtualTimer(work);
    // Delays are as in Node: fractions are dropped, and a value that is no number of 31 bits counts as none.
    const delay = Math.trunc(Number(ms));
    const delayMs = delay > 0 && delay < 2 ** 31 ? delay : 0;
    this.#put({ kind, delayMs, since: this.now, id: ++this.#count, timer, at: this.now + (delayMs || Number(this.#isRunning)) });
    return timer;
  }

  #put(turn: Turn): void {
    turn.timer.turn = turn;
    this.#heap.put(turn);
  }

  #run(turn: Turn): void {
    const { timer, kind, at, delayMs } = turn;
    timer.turn = null;
    if (kind === "interval") this.#put({ ...turn, at: at + Math.max(1, delayMs) });
    timer.work();
  }
}
