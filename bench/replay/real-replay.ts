import { timedPhases } from "../../pool-manager/client/server-timing.ts";
import { formatDuration } from "../../pool-manager/functions/manifest/duration.ts";
import { type Outcome, sendAt } from "../driver.ts";
import { Subject } from "../subject.ts";
import { type Replayed, Tally } from "./outcome.ts";
import type { Policy } from "./policy.ts";
import { ReplayError } from "./replay-error.ts";
import type { ReplayOptions } from "./replay-options.ts";
import type { Trace } from "./trace.ts";

/** A small scale: the machine runs the instances, Berth and the load. */
const MOST_FUNCTIONS = 100;
const MOST_INVOCATIONS = 50_000;
/** Most instances of the pool, and of a function. */
export const MOST_INSTANCES = 100;
/** How often instances are counted. */
const COUNT_MS = 500;
/** An invocation that has no answer by then has failed. */
const ANSWER_MS = 120_000;

const WAITS =
  "export default { async fetch(request) { await new Promise((r) => setTimeout(r, Number(new URL(request.url).searchParams.get('ms')))); return new Response(); } };";

interface ReplayedForReal extends Replayed {
  errors: number;
  /** The first failure in words; empty: none. */
  firstError: string;
  /** Median private memory of an instance in MB, at the end; null: none was left. */
  instanceMb: number | null;
}

type Scale = Pick<ReplayOptions, "size" | "concurrency">;

/**
 * Replays a trace under a policy in real time, on a Berth of its own whose functions wait as long as the trace says. Its
 * times and memory are this machine's. Throws `TRACE_TOO_LARGE`.
 */
export async function replayForReal(trace: Trace, policy: Policy, options: Scale, progress: (share: number) => void): Promise<ReplayedForReal> {
  const { functions, at } = trace;
  if (functions.length > MOST_FUNCTIONS || at.length > MOST_INVOCATIONS) {
    const most = `${MOST_FUNCTIONS} functions and ${MOST_INVOCATIONS} invocations`;
    throw new ReplayError(
      "TRACE_TOO_LARGE",
      `${functions.length} functions with ${at.length} invocations are too many for a replay in real time`,
      `take at most ${most}: --functions, --most, or a shorter --real`,
    );
  }
  const berth = await Subject.start(options.size === "auto" ? 1 : options.size);
  try {
    await deployAll(berth, trace, policy, options);
    return await play(berth, trace, progress);
  } finally {
    await berth.stop();
  }
}

async function deployAll(berth: Subject, { functions }: Trace, { idleTimeoutMs }: Policy, { size, concurrency }: Scale): Promise<void> {
  const pool = size === "auto" ? { size, targetHit: 0.99, min: 1 } : { size };
  await berth.api.call("PATCH", "/v1/pools/node", { ...pool, max: MOST_INSTANCES });
  const code = await berth.upload(WAITS);
  const idleTimeout = idleTimeoutMs === null ? "auto" : formatDuration(idleTimeoutMs);
  for (const index of functions.keys()) await berth.deploy(`f${index}`, code, { idleTimeout, concurrency, maxScale: MOST_INSTANCES, timeout: "2m" });
  await berth.settled(size === "auto" ? 1 : size);
}

async function play(berth: Subject, { functions, at, of, durationMs, lengthMs }: Trace, progress: (share: number) => void): Promise<ReplayedForReal> {
  const tally = new Tally(functions.length);
  const spentMs = { all: 0, owned: 0 };
  let errors = 0;
  let firstError = "";
  const onOutcome = ({ error, headers }: Outcome, index: number) => {
    if (error !== null) {
      errors += 1;
      firstError ||= error;
    } else tally.served(of[index] as number, startOf(headers["x-berth-start"]), waitOf(headers["server-timing"]));
  };
  const shot = (index: number) => ({ url: `${berth.invokeUrl}/function/f${of[index]}?ms=${Math.round(durationMs[index] as number)}` });
  const began = performance.now();
  let counted = began;
  const count = async () => {
    const instances = await berth.instances();
    const now = Math.min(performance.now(), began + lengthMs);
    spentMs.all += (now - counted) * instances.length;
    spentMs.owned += (now - counted) * instances.filter((one) => one.function !== null).length;
    counted = now;
    progress((now - began) / lengthMs);
  };
  const sent = sendAt((index) => at[index] as number, { count: at.length, shot, onOutcome, timeoutMs: ANSWER_MS });
  while (performance.now() < began + lengthMs) {
    await new Promise((resolve) => setTimeout(resolve, COUNT_MS));
    await count();
  }
  const memory = (await berth.instances()).map(({ uid }) => berth.memory(uid)).sort((a, b) => a - b);
  await sent;
  return { tally, spentMs, errors, firstError, instanceMb: memory[Math.floor(memory.length / 2)] ?? null };
}

function startOf(value: unknown): "warm" | "prewarmed" | "cold" {
  return value === "cold" || value === "prewarmed" ? value : "warm";
}

/** The time until an instance serves: everything before the run. */
function waitOf(serverTiming: unknown): number {
  const { queue = 0, claim = 0, load = 0 } = timedPhases(String(serverTiming ?? ""));
  return queue + claim + load;
}
