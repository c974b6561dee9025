import { BoundedMap } from "../../collections/bounded.ts";
import { IdleRecord } from "../idling/idle-record.ts";
import type { SizeState } from "../sizing/choose-size.ts";
import { addDepth, levelOf } from "../sizing/depths.ts";
import { RefillLine, type RefillPace } from "../sizing/refill-line.ts";
import { Buckets } from "./buckets.ts";
import { FunctionHistory } from "./function-history.ts";

/** Functions with a history of their own; the one whose last claim is oldest gives way. */
const MAX_FUNCTIONS = 256;
/** Functions with recorded idle times; the one that was used longest ago gives way. */
export const MAX_IDLE = 1024;
/** The share of a new refill in the moving average of their time. */
const LEARN = 1 / 8;

/** The recorded claims of one pool. Bounded; times are of the wall clock, so that they keep their meaning after a restart. */
export class PoolHistory {
  /** Tens of seconds of an hour, and minutes of a day. */
  readonly hour = new Buckets(10_000, 360);
  readonly day = new Buckets(60_000, 1440);
  readonly functions = new BoundedMap<string, FunctionHistory>(MAX_FUNCTIONS);
  /** Idle times of the functions whose idle timeout is auto, least recently used first. */
  readonly idle = new BoundedMap<string, IdleRecord>(MAX_IDLE);
  readonly #line = new RefillLine();
  /** When recording began. */
  since: number;
  /** Moving average of the time from the creation of an instance until it is prewarmed; null before the first. */
  refillMs: number | null = null;
  /** The size that was chosen last, if the pool sizes itself. */
  chosen: SizeState | null = null;

  constructor(since: number) {
    this.since = since;
  }

  get hasClaims(): boolean {
    return this.day.entries().some(([, { claims }]) => claims > 0);
  }

  advance(now: number): void {
    this.#line.advance(now, (depth, ms, until) => {
      for (const bucket of this.#at(until)) addDepth(bucket.spent, levelOf(depth), ms);
    });
  }

  /** A claim at `now`, to which `advance` has been called. Returns the number of instances that were missing then. */
  claimed(now: number, pace: RefillPace): number {
    const depth = this.#line.claim(now, pace);
    const level = levelOf(depth);
    for (const bucket of this.#at(now)) {
      bucket.claims += 1;
      addDepth(bucket.depths, level, 1);
    }
    return depth;
  }

  served(now: number, isHit: boolean): void {
    for (const bucket of this.#at(now)) {
      if (isHit) bucket.hits += 1;
      else bucket.misses += 1;
    }
  }

  refilled(now: number, ms: number): void {
    this.refillMs = this.refillMs === null ? ms : this.refillMs + (ms - this.refillMs) * LEARN;
    for (const bucket of this.#at(now)) {
      bucket.refills += 1;
      bucket.refillMs += ms;
    }
  }

  /** The history of a function that has just claimed an instance. */
  claimant(uid: string): FunctionHistory {
    const history = this.functions.get(uid) ?? new FunctionHistory();
    this.functions.set(uid, history);
    return history;
  }

  /** The idle times of a function that is used now. */
  idler(uid: string): IdleRecord {
    const record = this.idle.get(uid) ?? new IdleRecord();
    this.idle.set(uid, record);
    return record;
  }

  #at(now: number) {
    return [this.hour.at(now), this.day.at(now)];
  }
}
