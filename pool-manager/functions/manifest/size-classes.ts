import type { Resources } from "../../../runtime-images/protocol/messages.ts";
import { formatBytes, parseBytes } from "./quantity.ts";

const MIB = 2 ** 20;
/** Each class is a further pool of every runtime. */
const MAX_CLASSES = 8;
/** The class at the end of a pool's name, as `SizeClasses` writes it. */
const CLASS = /-(\d+[mgt]i)$/;

/** A pool that instances of a runtime are taken from. */
export interface OfferedPool {
  name: string;
  runtime: string;
  /** The most memory of a function whose instances are this pool's, in bytes; undefined: the runtime's base pool. */
  sizeClass?: number;
}

/**
 * Which pool the instances of a revision come from. It follows from the revision's memory and the declared classes alone,
 * both of which are the same for every leader:
 *
 * | memory of the revision | pool |
 * |---|---|
 * | none, or at most what instances of the base pool give | the runtime's base pool |
 * | more, and a class holds it | that of the smallest such class |
 * | more than any class | the base pool, whose instances are resized where the platform can |
 */
export class SizeClasses {
  /** Ascending, in bytes. */
  readonly sizes: readonly number[];
  readonly #baseBytes: number;

  /** `baseBytes`: the most memory of a function in an instance of the base pool that is not resized. `sizes`: in bytes. */
  constructor(baseBytes: number, sizes: readonly number[]) {
    this.#baseBytes = baseBytes;
    this.sizes = [...sizes].sort((a, b) => a - b);
  }

  poolOf(runtime: string, { memoryBytes = 0 }: Resources = {}): string {
    if (memoryBytes <= this.#baseBytes) return runtime;
    const size = this.sizes.find((bytes) => memoryBytes <= bytes);
    return size === undefined ? runtime : poolName(runtime, size);
  }

  /** The pools of these runtimes: the base pools first. */
  poolsOf(runtimes: readonly string[]): OfferedPool[] {
    const base = runtimes.map((runtime) => ({ name: runtime, runtime }));
    return [...base, ...this.sizes.flatMap((sizeClass) => runtimes.map((runtime) => ({ name: poolName(runtime, sizeClass), runtime, sizeClass })))];
  }
}

/** One pool for each runtime. */
export const NO_CLASSES = new SizeClasses(Number.POSITIVE_INFINITY, []);

/** Names of Kubernetes objects have no capitals: `node-2gi`. */
function poolName(runtime: string, sizeClass: number): string {
  return `${runtime}-${formatBytes(sizeClass).toLowerCase()}`;
}

/** The class in a pool's name, such as `2gi`; null: it is a base pool. */
export function classIn(pool: string): string | null {
  return CLASS.exec(pool)?.[1] ?? null;
}

/** The runtime of a pool that a class of these runtimes has, declared or not; null: there is none of this name. */
export function runtimeOfClass(pool: string, runtimes: readonly string[]): string | null {
  const runtime = pool.replace(CLASS, "");
  return runtime !== pool && runtimes.includes(runtime) ? runtime : null;
}

/**
 * The sizes of classes as they are declared, such as "512Mi,2Gi", in bytes and ascending; a text: why they are none.
 * `baseBytes`: the most memory of a function in an instance of the base pool.
 */
export function parseSizeClasses(text: string, baseBytes: number): number[] | string {
  const words = text.split(",").map((word) => word.trim());
  const sizes = words.map(parseBytes);
  const [faulty] = words.filter((_, at) => sizes[at] === null || (sizes[at] as number) % MIB !== 0);
  if (faulty !== undefined) return `${JSON.stringify(faulty)} is not an amount of memory in whole Mi, such as 512Mi or 2Gi`;
  const distinct = [...new Set(sizes as number[])].sort((a, b) => a - b);
  const [least = 0] = distinct;
  if (least <= baseBytes)
    return `${formatBytes(least)} is no more than the ${formatBytes(Math.max(0, baseBytes))} that functions have in the pool of each runtime`;
  return distinct.length > MAX_CLASSES ? `there are ${distinct.length} classes, and at most ${MAX_CLASSES} are possible` : distinct;
}
