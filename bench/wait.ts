/** Bound and interval of a wait, in milliseconds. */
export interface WaitTimes {
  boundMs: number;
  everyMs: number;
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Polls until `check` holds. Rejects with `what` if it does not within the bound, and with the first error of `check`. */
export async function until(check: () => boolean | Promise<boolean>, what: string, { boundMs, everyMs }: WaitTimes): Promise<void> {
  for (const deadline = performance.now() + boundMs; !(await check()); await sleep(everyMs)) {
    if (performance.now() > deadline) throw new Error(`not within ${boundMs} ms: ${what}`);
  }
}
