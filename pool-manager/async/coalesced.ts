import type { Clock } from "./clock.ts";

/** Returns a function that has `run` called once in the next turn of the event loop, however often it is called before. */
export function coalesced(clock: Pick<Clock, "soon">, run: () => void): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    clock.soon(() => {
      isDue = false;
      run();
    });
  };
}
