/** The invocations of a trace, sorted by arrival. Columns, since a trace may have millions. */
export interface Trace {
  /** Names of the functions. */
  functions: readonly string[];
  /** Milliseconds from the beginning of the trace. */
  at: Float64Array;
  /** Index into `functions`. */
  of: Uint32Array;
  durationMs: Float32Array;
  /** Length of the trace in milliseconds. */
  lengthMs: number;
}

/** The part of a trace from `fromMs` on, at most `lengthMs` long, with the functions that occur in it. */
export function cut({ functions, at, of, durationMs, lengthMs: whole }: Trace, fromMs: number, lengthMs: number): Trace {
  const part = new TraceBuilder();
  const end = Math.min(whole, fromMs + lengthMs);
  for (const [i, time] of at.entries()) {
    if (time >= fromMs && time < end) part.add(functions[of[i] as number] as string, time - fromMs, durationMs[i] as number);
  }
  return part.build(Math.max(0, end - fromMs));
}

/** Collects invocations in any order. */
export class TraceBuilder {
  readonly #indexes = new Map<string, number>();
  readonly #at: number[] = [];
  readonly #of: number[] = [];
  readonly #durations: number[] = [];

  readonly #most: number;

  /** `most`: invocations of further functions are left out. */
  constructor(most = Number.POSITIVE_INFINITY) {
    this.#most = most;
  }

  get count(): number {
    return this.#at.length;
  }

  add(name: string, atMs: number, durationMs: number): void {
    const index = this.#indexes.get(name) ?? this.#indexes.size;
    if (index >= this.#most) return;
    this.#indexes.set(name, index);
    this.#at.push(atMs);
    this.#of.push(index);
    this.#durations.push(durationMs);
  }

  /** `lengthMs`: absent, until the last invocation. */
  build(lengthMs?: number): Trace {
    const order = Uint32Array.from(this.#at.keys()).sort((a, b) => (this.#at[a] as number) - (this.#at[b] as number));
    const column = <T extends Float64Array | Float32Array | Uint32Array>(into: T, from: readonly number[]): T => {
      for (let i = 0; i < order.length; i++) into[i] = from[order[i] as number] as number;
      return into;
    };
    const at = column(new Float64Array(order.length), this.#at);
    return {
      functions: [...this.#indexes.keys()],
      at,
      of: column(new Uint32Array(order.length), this.#of),
      durationMs: column(new Float32Array(order.length), this.#durations),
      lengthMs: lengthMs ?? (at.at(-1) ?? 0) + 1,
    };
  }
}
