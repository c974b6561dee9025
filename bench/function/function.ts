import type { ManageClient } from "../../cli/manage-client.ts";
import { openLoop, type Shot } from "../driver.ts";
import { type Scenario, scenarioOf } from "../report/scenario.ts";
import type { Progress } from "../scenarios.ts";
import type { Arrivals } from "./arrivals.ts";
import { Copies } from "./copies.ts";
import { Phases } from "./phases.ts";
import { Starts, send } from "./starts.ts";

export interface FunctionBench {
  /** New functions for each way of arriving. */
  starts: number;
  arrivals: readonly Arrivals[];
  /** Between staggered starts. */
  intervalMs: number;
  /** Warm invocations per second. */
  rate: number;
  seconds: number;
  data: string | undefined;
}

/** The router and the function that invocations go to, and the identity that they carry. */
export interface Target {
  /** URL of a router. */
  router: string;
  name: string;
  /** Headers of each invocation, such as a key. */
  headers: Record<string, string>;
}

/**
 * Measures a deployed function: for each way of arriving `starts` new functions with its code, settings and environment
 * (without its secrets), one invocation each; then warm invocations at a rate.
 */
export async function benchFunction(api: ManageClient, target: Target, wanted: FunctionBench, progress: Progress): Promise<Scenario[]> {
  const shot = (name: string): Shot => ({ url: `${target.router}/function/${name}`, headers: target.headers, body: wanted.data });
  const scenarios: Scenario[] = [];
  for (const arrivals of wanted.arrivals) {
    const copies = await Copies.deploy(api, target.name, wanted.starts);
    const starts = new Starts(arrivals);
    let done = 0;
    try {
      await copies.poolIsFull();
      await send(arrivals, wanted.intervalMs, {
        count: copies.names.length,
        shot: (i) => shot(copies.names[i] as string),
        onOutcome: (outcome) => {
          starts.record(outcome);
          progress(arrivals, ++done, copies.names.length);
        },
      });
    } finally {
      await copies.remove();
    }
    scenarios.push(...starts.scenarios);
  }
  return [...scenarios, await warm(shot(target.name), wanted, progress)];
}

async function warm(shot: Shot, { rate, seconds }: FunctionBench, progress: Progress): Promise<Scenario> {
  const count = Math.ceil(rate * seconds);
  const phases = new Phases();
  let errors = 0;
  let done = 0;
  let firstError = "";
  await openLoop({ rate: 10, count: 3, shot: () => shot });
  const times = await openLoop({
    rate,
    count,
    shot: () => shot,
    onOutcome: ({ error, headers }) => {
      if (error !== null && errors++ === 0) firstError = error;
      if (error === null) phases.record(headers["server-timing"]);
      progress("warm", ++done, count);
    },
  });
  return { ...scenarioOf("warm", count, errors, times), phases: phases.summary, ...(errors > 0 && { note: `first error: ${firstError}` }) };
}
