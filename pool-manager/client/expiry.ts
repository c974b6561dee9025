/**
 * Calls `run` after `ms`, but only after input that has arrived by then is read: after a stall of this process, Node
 * runs timers before input, and an answer that arrived in time would count as missing.
 * Returns a function that cancels it, even between the two steps.
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
