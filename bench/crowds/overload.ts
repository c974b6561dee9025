import autocannon from "autocannon";
import { latencies, type Outcome, openLoop } from "../driver.ts";
import { type Footprint, type Scenario, scenarioOf } from "../report/scenario.ts";
import type { Progress } from "../scenarios.ts";
import { Subject } from "../subject.ts";
import { Answers, inWords } from "./answers.ts";

/** A function that takes 100 ms, at its maximum scale: 80 invocations a second, independent of the machine's speed. */
const RUN_MS = 100;
const SCALE = 2;
const CONCURRENCY = 4;
const SLEEPER = `export default { async fetch() { await new Promise((resolve) => setTimeout(resolve, ${RUN_MS})); return new Response("done"); } };`;
const FACTOR = 5;
/** The share of its capacity that a function serves under normal load. */
const NORMAL = 0.4;
const NORMAL_SECONDS = 5;
/** How long the recovery may take. */
const RECOVERY_SECONDS = 15;
const WINDOW_MS = 500;
/** Latencies count as normal within this multiple of those before. */
const WITHIN = 1.5;

/** Gives a function five times the load that it can serve, then its normal load: how many invocations are served meanwhile, how soon the others are refused, and when latencies are normal. */
export async function overload(seconds: number, progress: Progress): Promise<Scenario[]> {
  const berth = await Subject.start(SCALE);
  try {
    const scaling = { concurrency: CONCURRENCY, minScale: SCALE, maxScale: SCALE };
    await berth.deploy("sleeper", await berth.upload(SLEEPER), scaling);
    const url = `${berth.invokeUrl}/function/sleeper`;
    await run(url, 20, 2);
    const capacity = await capacityOf(url);
    progress("overload", 1, 4);
    const normal = await run(url, NORMAL * capacity, NORMAL_SECONDS);
    progress("overload", 2, 4);
    const before = berth.footprint();
    // Not awaited: the recovery includes the invocations that are still queued at the end of the overload.
    const crowd = run(url, FACTOR * capacity, seconds);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    progress("overload", 3, 4);
    const after = await run(url, NORMAL * capacity, RECOVERY_SECONDS);
    progress("overload", 4, 4);
    return report({ capacity, normal, crowd: await crowd, after, memory: [before, berth.footprint()] });
  } finally {
    await berth.stop();
  }
}

/** The capacity, and the outcome of each load. */
interface Found {
  capacity: number;
  normal: Slice;
  crowd: Slice;
  after: Slice;
  memory: Footprint[];
}

function report({ capacity, normal, crowd, after, memory }: Found): Scenario[] {
  const rates = `${Math.round(FACTOR * capacity)} a second at a capacity of ${Math.round(capacity)}`;
  const usualMs = normal.served.getValueAtPercentile(99) / 1000;
  const recoverySeconds = after.normalAgainAfter(WITHIN * usualMs);
  const recovery = recoverySeconds === null ? `not normal within ${RECOVERY_SECONDS} s` : `normal from ${recoverySeconds} s after the overload on`;
  const { counts } = crowd.answers;
  const refused = crowd.refused.totalCount;
  return [
    scenarioOf("overload-before", normal.count, normal.count - normal.served.totalCount, normal.served),
    {
      ...scenarioOf("overload-served", crowd.served.totalCount, crowd.answers.errors, crowd.served),
      answers: counts,
      note: `${rates}: ${JSON.stringify(counts)}`,
    },
    { ...scenarioOf("overload-refused", refused, 0, crowd.refused), memory, note: inWords(memory) },
    { ...scenarioOf("overload-after", after.count, after.answers.errors, after.served), ...(recoverySeconds !== null && { recoverySeconds }), note: recovery },
  ];
}

/** The outcome of some seconds of load. */
class Slice {
  readonly served = latencies();
  readonly refused = latencies();
  readonly answers = new Answers();
  readonly count: number;
  /** Latencies by the window in which an invocation was sent; one that was not served counts as infinite. */
  readonly #windowsMs: number[][] = [];
  readonly #began = performance.now();
  readonly #sentAt: number[] = [];

  constructor(count: number) {
    this.count = count;
  }

  sent(i: number): void {
    this.#sentAt[i] = performance.now();
  }

  add(outcome: Outcome, i: number): void {
    const isServed = this.answers.add(outcome);
    (isServed ? this.served : this.refused).recordValue(Math.max(1, Math.round(outcome.firstByteMs * 1000)));
    const window = Math.floor(((this.#sentAt[i] ?? 0) - this.#began) / WINDOW_MS);
    const latenciesMs = this.#windowsMs[window] ?? [];
    latenciesMs.push(isServed ? outcome.firstByteMs : Number.POSITIVE_INFINITY);
    this.#windowsMs[window] = latenciesMs;
  }

  /** Seconds after which all latencies of two successive windows are within `ms`; null: never. */
  normalAgainAfter(ms: number): number | null {
    const isNormal = (latencies: number[] | undefined) => latencies?.every((latency) => latency <= ms) ?? false;
    const at = this.#windowsMs.findIndex((latencies, window) => isNormal(latencies) && isNormal(this.#windowsMs[window + 1]));
    return at < 0 ? null : (at * WINDOW_MS) / 1000;
  }
}

async function run(url: string, rate: number, seconds: number): Promise<Slice> {
  const slice = new Slice(Math.ceil(rate * seconds));
  const shot = (i: number) => {
    slice.sent(i);
    return { url };
  };
  await openLoop({ rate, count: slice.count, shot, onOutcome: (outcome, i) => slice.add(outcome, i) });
  return slice;
}

/** The throughput of a closed loop that keeps every slot busy, in invocations per second. */
async function capacityOf(url: string): Promise<number> {
  const { requests, duration } = await autocannon({ url, connections: 2 * SCALE * CONCURRENCY, duration: 3 });
  return requests.total / duration;
}
