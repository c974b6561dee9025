/** Numbers by time, in a ring of equally wide buckets whose edges are multiples of the width; older ones are forgotten. */
export class TimeBuckets {
  readonly #widthMs: number;
  /** One more than the buckets that are asked for: the oldest is partly outside. */
  readonly #values: Float64Array;
  /** The newest bucket, counted from time 0. */
  #newest = 0;

  constructor(count: number, widthMs: number) {
    this.#widthMs = widthMs;
    this.#values = new Float64Array(count + 1);
  }

  /** Adds `level` multiplied by the milliseconds from `from` to `to` to the buckets that these times span. */
  integrate(from: number, to: number, level: number): void {
    this.#advance(to);
    const width = this.#widthMs;
    const oldest = Math.max(Math.floor(from / width), this.#newest - this.#values.length + 1);
    // By bucket, not by time: with a width of 100/3 ms, an edge may round to the bucket before it.
    for (let bucket = oldest; bucket <= this.#newest; bucket++) {
      const spanMs = Math.min(to, (bucket + 1) * width) - Math.max(from, bucket * width);
      this.#values[bucket % this.#values.length] = this.#of(bucket) + level * Math.max(0, spanMs);
    }
  }

  /** Raises the present bucket to `value` if it is lower. */
  raise(now: number, value: number): void {
    this.#advance(now);
    this.#values[this.#newest % this.#values.length] = Math.max(this.#of(this.#newest), value);
  }

  /** The sum over the time of the last `count` buckets; the bucket in which that time begins counts in proportion. */
  sum(now: number, count: number): number {
    this.#advance(now);
    const oldest = this.#newest - count;
    const inside = 1 - (now / this.#widthMs - this.#newest);
    let sum = oldest < 0 ? 0 : this.#of(oldest) * inside;
    for (let bucket = Math.max(0, oldest + 1); bucket <= this.#newest; bucket++) sum += this.#of(bucket);
    return sum;
  }

  max(now: number): number {
    this.#advance(now);
    return this.#values.reduce((most, value) => Math.max(most, value), 0);
  }

  /** Adds another ring of the same count and width. */
  add(other: TimeBuckets): void {
    const newest = Math.max(this.#newest, other.#newest);
    for (const ring of [this, other]) ring.#advance(newest * this.#widthMs);
    for (const [slot, value] of other.#values.entries()) this.#values[slot] = (this.#values[slot] as number) + value;
  }

  #of(bucket: number): number {
    return this.#values[bucket % this.#values.length] as number;
  }

  /** Clears the buckets that have begun since the newest one. */
  #advance(now: number): void {
    const newest = Math.floor(now / this.#widthMs);
    const length = this.#values.length;
    if (newest - this.#newest >= length) this.#values.fill(0);
    else for (let bucket = this.#newest + 1; bucket <= newest; bucket++) this.#values[bucket % length] = 0;
    this.#newest = Math.max(this.#newest, newest);
  }
}
