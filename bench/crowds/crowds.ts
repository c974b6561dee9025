import type { Scenario } from "../report.ts";
import type { Progress } from "../scenarios.ts";
import { coldCrowd } from "./cold.ts";
import { deployments } from "./deployments.ts";
import { overload } from "./overload.ts";

export interface CrowdsSize {
  /** Deployed one by one. */
  functions: number;
  /** Never loaded, and invoked at once. */
  cold: number;
  /** Of overload. */
  seconds: number;
}

/** Many functions, many first invocations at once, and more invocations than can be served. */
export async function crowds({ functions, cold, seconds }: CrowdsSize, progress: Progress): Promise<Scenario[]> {
  return [...(await deployments(functions, progress)), ...(await coldCrowd(cold, progress)), ...(await overload(seconds, progress))];
}
