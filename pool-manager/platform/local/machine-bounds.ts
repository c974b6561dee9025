import { availableParallelism, totalmem } from "node:os";
import type { ResourceBounds } from "../../functions/manifest/resources.ts";

/** The most that a function of an embedded Berth can have: what the machine or its container has. */
export function machineBounds(): ResourceBounds {
  // Without a limit, it is 0 or more than the machine has.
  const limit = process.constrainedMemory();
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  // In whole MiB: the number is for people too.
  const memoryBytes = Math.floor(memory / 2 ** 20) * 2 ** 20;
  return { memoryBytes, cpuMillis: availableParallelism() * 1000, of: "this machine", fix: "ask for less, or run Berth on a larger one" };
}
