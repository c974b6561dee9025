/** How long one request waits at its other end: shorter than what proxies allow. */
const ASK_MS = 10_000;

/**
 * Sends requests that each wait up to `askMs` for an answer, one after the other. Resolves with the first answer, or with
 * null if there is none within `waitMs`. Rejects as `ask` does.
 */
export async function longPoll<T>(waitMs: number, ask: (askMs: number) => Promise<T | null>): Promise<T | null> {
  const deadline = performance.now() + waitMs;
  for (let leftMs = waitMs; leftMs > 0; leftMs = deadline - performance.now()) {
    const answer = await ask(Math.ceil(Math.min(ASK_MS, leftMs)));
    if (answer !== null) return answer;
  }
  return null;
}
