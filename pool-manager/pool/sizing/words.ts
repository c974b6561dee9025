import { type ClaimWindow, rateOf } from "./needed-size.ts";

export function claimsInWords(window: ClaimWindow): string {
  return `${window.claims} claims, ${perMinute(window)} a minute, dispersion ${window.dispersion.toFixed(1)}`;
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
