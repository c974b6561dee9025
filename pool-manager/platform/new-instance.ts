import type { Instance } from "./platform.ts";

type Given = Pick<Instance, "uid" | "pool" | "host" | "resourceVersion">;

/** An instance that the platform itself starts now, by its clock, and that has told nothing yet. */
export function newInstance(given: Given, now: number): Instance {
  return {
    ...given,
    key: null,
    echo: null,
    binding: null,
    createdAt: now,
    seenAt: now,
    runningSince: now,
    readyAt: null,
    removing: false,
    isCounted: true,
    replace: null,
    trouble: null,
    underResourced: null,
    obstacle: null,
  };
}
