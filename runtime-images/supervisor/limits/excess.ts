import type { Resources } from "../../protocol/messages.ts";

/** Why a worker is ended: the reason of its instance's error, and a sentence. */
export interface Excess {
  reason: "memory" | "crash";
  message: string;
}

const KIB = 1024;
const UNITS = ["bytes", "Ki", "Mi", "Gi", "Ti"];

/**
 * The first limit that a worker exceeds; null: none. A quantity that is not in `used` was not measured.
 *
 * | used                 | limit          | reason |
 * |----------------------|----------------|--------|
 * | memory above it      | `memoryBytes`  | memory |
 * | threads above it     | `pids`         | crash  |
 * | files above it       | `storageBytes` | crash  |
 */
export function excessOf(used: { memoryBytes?: number; pids?: number; storageBytes?: number }, limits: Resources): Excess | null {
  const { memoryBytes, pids, storageBytes } = limits;
  if (isAbove(used.memoryBytes, memoryBytes)) return memoryExcess(limits);
  if (isAbove(used.pids, pids)) return { reason: "crash", message: `the function had ${used.pids} processes and threads, and may have ${pids} (pids)` };
  if (isAbove(used.storageBytes, storageBytes))
    return {
      reason: "crash",
      message: `the function wrote ${amountOf(used.storageBytes ?? 0)} of files, and may write ${amountOf(storageBytes ?? 0)} (ephemeralStorage)`,
    };
  return null;
}

export function memoryExcess({ memoryBytes = 0 }: Resources): Excess {
  return { reason: "memory", message: `the function used more than its ${amountOf(memoryBytes)} of memory (memory)` };
}

function isAbove(used: number | undefined, limit: number | undefined): boolean {
  return used !== undefined && limit !== undefined && used > limit;
}

/** An amount in the largest unit in which it has at most one decimal that matters. */
export function amountOf(bytes: number): string {
  const at = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(bytes, 1)) / 10)));
  const amount = Math.round((bytes / KIB ** at) * 10) / 10;
  return at === 0 ? `${bytes} bytes` : `${amount}${UNITS[at]}`;
}
