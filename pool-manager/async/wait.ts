/** Resolves after this time. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Polls until `check` returns a value, for `boundMs` at most, and resolves with it; null: there was none within that time. */
export async function until<T>(check: () => T | null | false, { boundMs, everyMs }: { boundMs: number; everyMs: number }): Promise<T | null> {
  for (const deadline = performance.now() + boundMs; performance.now() < deadline; ) {
    const found = check();
    if (found !== null && found !== false) return found;
    await sleep(everyMs);
  }
  return null;
}
