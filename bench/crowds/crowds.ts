import type { Scenario } from "../report/scenario.ts";
import type { Progress } from "../scenarios.ts";
import { coldCrowd } from "./cold.ts";
import { deployments } from "./deployments.ts";
import { overload } from "./overload.ts";

export interface CrowdsSize {
  /** Functions that are deployed one by one. */
  functions: number;
  /** Functions that were never loaded, and are invoked at once. */
  cold: number;
  /** How long the overload lasts. */
  seconds: number;
}

/** Measures many functions, many first invocations at once, and more invocations than can be served. */
export async function crowds({ functions, cold, seconds }: CrowdsSize, progress: Progress): Promise<Scenario[]> {
  return [...(await deployments(functions, progress)), ...(await coldCrowd(cold, progress)), ...(await overload(seconds, progress))];
}
