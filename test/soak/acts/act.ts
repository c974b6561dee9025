import type { History, Part } from "../history.ts";

/** Something that is done to Berth at random; it is undone when `run` resolves. Rejects where Berth does not come back from it. */
export interface Act {
  name: string;
  /** How often it is chosen, in comparison with the others. */
  weight: number;
  run(): Promise<void>;
}

/** Counts acts, and keeps their failures, by the name of the act. */
export class ActCounts {
  readonly counts = new Map<string, number>();
  readonly failures: string[] = [];
}

/** Longest that one act may take. */
const ACT_MS = 150_000;

export interface LaneOptions {
  acts: readonly Act[];
  random: () => number;
  /** Shortest and longest pause between two acts, in milliseconds. */
  pauseMs: readonly [number, number];
  counts: ActCounts;
  say: (line: string) => void;
}

/** Acts one after the other, until it is told to end. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #running: Promise<void>;
  #over = false;
  #wake: () => void = () => {};

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  async end(): Promise<void> {
    this.#over = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { random, pauseMs } = this.#options;
    const [least, most] = pauseMs;
    for (;;) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, least + (most - least) * random());
      });
      if (this.#over) return;
      await this.#perform(choose(this.#options.acts, random));
    }
  }

  async #perform({ name, run }: Act): Promise<void> {
    const { counts, say } = this.#options;
    counts.counts.set(name, (counts.counts.get(name) ?? 0) + 1);
    say(name);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`was not over within ${ACT_MS / 1000} s`)), ACT_MS);
    });
    await Promise.race([run(), late]).catch((error: Error) => {
      counts.failures.push(`${name}: ${error.message}`);
      say(`${name} failed: ${error.message}`);
    });
    clearTimeout(timer);
  }
}

function choose(acts: readonly Act[], random: () => number): Act {
  let left = random() * acts.reduce((sum, { weight }) => sum + weight, 0);
  for (const act of acts) {
    left -= act.weight;
    if (left < 0) return act;
  }
  return acts[0] as Act;
}

/** Does something that is a fault, and writes down when it began and when it was over. */
export async function fault(history: History, what: string, parts: { ends?: Part[]; stalls?: Part[] }, act: () => Promise<void>): Promise<void> {
  const id = history.id("fault");
  history.add({ type: "fault", fault: id, what, ends: parts.ends ?? [], stalls: parts.stalls ?? [] });
  try {
    await act();
  } finally {
    history.add({ type: "fault-over", fault: id });
  }
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
