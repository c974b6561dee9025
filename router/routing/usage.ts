import type { FunctionUsage, StartKind } from "../../pool-manager/client/contract.ts";
import { BUCKETS, bucketOf, PHASES } from "../../pool-manager/client/latency-buckets.ts";

/** The time of an invocation, by phase. */
export interface SpentTime {
  readonly queueMs: number;
  readonly claimMs: number;
  readonly loadMs: number;
  readonly runMs: number;
  readonly totalMs: number;
}

/** Functions that are counted between two reports. A router serves fewer invocations in that time; beyond it they are only in the metrics. */
const MAX_FUNCTIONS = 5000;
/** Functions of one report; the others follow with the next. */
const MAX_REPORTED = 1000;
const STARTS: Record<StartKind, number> = { warm: 0, prewarmed: 1, cold: 2 };

/** Counts of one function since its last report. */
class Tally {
  invocations = 0;
  failed = 0;
  readonly starts = [0, 0, 0];
  /** Counts by bucket, phase after phase. */
  readonly #counts = new Uint32Array(PHASES.length * BUCKETS);

  add(isServed: boolean, hasFailed: boolean, start: StartKind, spent: SpentTime): void {
    this.invocations += 1;
    if (hasFailed) this.failed += 1;
    this.#count(0, spent.queueMs);
    if (!isServed) return;
    const kind = STARTS[start];
    this.starts[kind] = (this.starts[kind] ?? 0) + 1;
    this.#count(1, spent.claimMs);
    this.#count(2, spent.loadMs);
    this.#count(3, spent.runMs);
    this.#count(4, spent.totalMs);
  }

  report(uid: string): FunctionUsage {
    const { invocations, failed, starts } = this;
    return { uid, invocations, failed, starts, phases: PHASES.map((_, phase) => this.#pairs(phase)) };
  }

  #count(phase: number, ms: number): void {
    const at = phase * BUCKETS + bucketOf(ms);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  #pairs(phase: number): number[] {
    const own = this.#counts.subarray(phase * BUCKETS, (phase + 1) * BUCKETS);
    const pairs: number[] = [];
    own.forEach((count, bucket) => {
      if (count > 0) pairs.push(bucket, count);
    });
    return pairs;
  }
}

/** Counts invocations between two reports to the pool manager, which adds them up for people: metrics are the exact record. */
export class Usage {
  readonly #tallies = new Map<string, Tally>();

  /** `isServed`: it came to an instance. */
  count(uid: string, isServed: boolean, hasFailed: boolean, start: StartKind, spent: SpentTime): void {
    let tally = this.#tallies.get(uid);
    if (!tally) {
      if (this.#tallies.size >= MAX_FUNCTIONS) return;
      tally = new Tally();
      this.#tallies.set(uid, tally);
    }
    tally.add(isServed, hasFailed, start, spent);
  }

  /** The counts since the last call, and begins anew. */
  readonly take = (): FunctionUsage[] => {
    const taken: FunctionUsage[] = [];
    for (const [uid, tally] of this.#tallies) {
      if (taken.length >= MAX_REPORTED) break;
      taken.push(tally.report(uid));
      this.#tallies.delete(uid);
    }
    return taken;
  };
}
