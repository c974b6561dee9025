/**
 * Calls `run` once `ms` have passed and what had come by then has been read: after a moment in which this process was
 * held up, Node runs the timers first, and an answer that was there in time would be taken for one that did not come.
 * Returns what cancels it, also between the two.
 */
export function expiry(ms: number, run: () => void): () => void {
  let reading: NodeJS.Immediate | null = null;
  const timer = setTimeout(() => {
    reading = setImmediate(run);
  }, ms);
  return () => {
    clearTimeout(timer);
    if (reading) clearImmediate(reading);
  };
}
