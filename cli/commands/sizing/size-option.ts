import { InvalidArgumentError } from "commander";
import type { PoolAnswer } from "../../../pool-manager/api/schemas/answers.ts";
import { scheduledInWords } from "./warm-option.ts";

/** Parses the size of a pool: a whole number, or "auto". */
export function sizeOption(text: string): number | "auto" {
  if (text === "auto") return text;
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`"${text}" is neither a whole number nor "auto".`);
  return Number(text);
}

/** Parses the share of claims that should find a free instance; the API checks its bounds. */
export function hitOption(text: string): number {
  if (!/^0?\.\d{1,6}$/.test(text)) throw new InvalidArgumentError(`"${text}" is not a share such as 0.99.`);
  return Number(text);
}

/** A size such as "4", "4 (now 12)" or "auto (now 7)". */
export function sizeInWords({ size, chosenSize }: Pick<PoolAnswer, "size" | "chosenSize">): string {
  return size === chosenSize ? String(size) : `${size} (now ${chosenSize})`;
}

/** The instances that a pool keeps free after a change, and why, in words. */
export function keepsInWords(pool: PoolAnswer): string {
  if (pool.size !== "auto") {
    const now = pool.scheduled ? `; now ${scheduledInWords(pool.scheduled)}` : schedulesInWords(pool.warm);
    return `keeps ${pool.size} free, at most ${pool.max} in all${now}`;
  }
  const hit = `${Number(((pool.targetHit ?? 0) * 100).toFixed(2))} %`;
  const why = pool.sizing ? `: ${pool.sizing.reason}` : "";
  return `sizes itself between ${pool.min} and ${pool.max}, so that ${hit} of the claims find a free instance; now ${pool.chosenSize}${why}`;
}

function schedulesInWords(warm: readonly string[]): string {
  if (warm.length === 0) return "";
  return warm.length === 1 ? `; its schedule is not in force now: ${warm[0]}` : `; none of its ${warm.length} schedules is in force now`;
}
