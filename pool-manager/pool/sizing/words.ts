import { type ClaimWindow, rateOf } from "./needed-size.ts";

/** A count with its word, such as "1 start" or "2 starts". */
export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** Says so if less than half of a window is recorded. */
export function shortRecordInWords(windowMs: number, recordedSeconds: number): string[] {
  if (recordedSeconds * 2000 >= windowMs) return [];
  return [`only ${counted(Math.round(recordedSeconds / 60), "minute")} of this window are recorded: the advice becomes better with time`];
}

export function claimsInWords(window: ClaimWindow): string {
  return `${counted(window.claims, "claim")}, ${perMinute(window)} a minute, dispersion ${window.dispersion.toFixed(1)}`;
}

function perMinute(window: Pick<ClaimWindow, "claims" | "seconds">): string {
  const rate = rateOf(window) * 60;
  return rate >= 10 ? rate.toFixed(0) : rate.toFixed(1);
}

export function secondsInWords(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** A share as a percentage; 100 % is printed of the whole alone. */
export function percent(share: number): string {
  const digits = share < 1 && share > 0.999 ? 2 : 1;
  const shown = share === 1 ? 100 : Math.min(99.99, share * 100);
  return `${shown.toFixed(digits).replace(/\.0+$/, "")} %`;
}
