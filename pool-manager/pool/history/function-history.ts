import { addDepth, levelOf } from "../sizing/depths.ts";
import { Buckets } from "./buckets.ts";

/** The claims of one function by the number of instances that it had, how long it had how many, and how many invocations at a time. */
export class FunctionHistory {
  /** Minutes of an hour, and tens of minutes of a day. */
  readonly hour = new Buckets(60_000, 60);
  readonly day = new Buckets(600_000, 144);

  /** A claim at `now`, when the function had `own` instances, those included that it was waiting for. */
  claimed(now: number, own: number): void {
    for (const bucket of this.#at(now)) {
      bucket.claims += 1;
      addDepth(bucket.depths, levelOf(own), 1);
    }
  }

  served(now: number, isHit: boolean): void {
    for (const bucket of this.#at(now)) {
      if (isHit) bucket.hits += 1;
      else bucket.misses += 1;
    }
  }

  /** The function has had `own` instances for the `ms` until now. */
  had(now: number, own: number, ms: number): void {
    for (const bucket of this.#at(now)) addDepth(bucket.spent, levelOf(own), ms);
  }

  /** It had `concurrent` invocations, waiting ones included, for the `ms` until now. */
  loaded(now: number, concurrent: number, ms: number): void {
    for (const bucket of this.#at(now)) addDepth(bucket.loads, levelOf(concurrent), ms);
  }

  #at(now: number) {
    return [this.hour.at(now), this.day.at(now)];
  }
}
