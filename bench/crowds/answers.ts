import type { Outcome } from "../driver.ts";
import type { Footprint } from "../report/scenario.ts";

/** Counts outcomes by status and error code. */
export class Answers {
  readonly counts: Record<string, number> = {};
  /** Outcomes that are neither the function's answer nor a refusal that may be retried (429, 503, 504). */
  errors = 0;

  /** Returns true if the function itself answered. */
  add({ status, body, error }: Outcome): boolean {
    const isRefused = status === 429 || status === 503 || status === 504;
    const kind = status < 400 ? (error ?? String(status)) : `${status} ${codeOf(body)}`;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    if (error !== null && !isRefused) this.errors += 1;
    return error === null;
  }
}

function codeOf(body: string): string {
  try {
    return (JSON.parse(body) as { error: { code: string } }).error.code;
  } catch {
    return "without a code";
  }
}

/** Describes memory before and after. */
export function inWords(memory: readonly Footprint[]): string {
  return `private memory ${memory.map(({ privateMb }) => privateMb).join(" → ")} MB, PSS ${memory.map(({ pssMb }) => pssMb).join(" → ")} MB`;
}
