import { latencies } from "../driver.ts";
import { type Scenario, scenarioOf } from "../report/scenario.ts";
import { HELLO, type Progress } from "../scenarios.ts";
import { Subject } from "../subject.ts";
import { inWords } from "./answers.ts";

const POOL = 1;
/** One of this many functions has its own code; the others share one. */
const DISTINCT = 20;
/** The number of functions that are invoked after a restart. */
const INVOKED = 5;

/** Deploys functions one by one; then restarts Berth with all of them. */
export async function deployments(count: number, progress: Progress): Promise<Scenario[]> {
  let berth = await Subject.start(POOL);
  try {
    const empty = berth.footprint();
    const deployed = await deployAll(berth, count, progress);
    const full = berth.footprint();
    const { berth: next, readyMs } = await berth.restart();
    berth = next;
    const restart = await firstAnswers(berth, count, readyMs);
    return [{ ...deployed, memory: [empty, full], note: `${deployed.note}; ${inWords([empty, full])}` }, restart];
  } finally {
    await berth.stop();
  }
}

async function deployAll(berth: Subject, count: number, progress: Progress): Promise<Scenario> {
  const shared = await berth.upload(HELLO);
  const times = latencies();
  const tenthsSeconds: number[] = [];
  const began = performance.now();
  let tenthAt = began;
  for (let i = 0; i < count; i++) {
    const at = performance.now();
    const code = i % DISTINCT === 0 ? await berth.upload(`${HELLO}\n// ${i}\n`) : shared;
    await berth.deploy(`f${i}`, code);
    const now = performance.now();
    times.recordValue(Math.max(1, Math.round((now - at) * 1000)));
    if (Math.floor((10 * (i + 1)) / count) > tenthsSeconds.length) {
      tenthsSeconds.push(Math.round(now - tenthAt) / 1000);
      tenthAt = now;
    }
    progress("deployments", i + 1, count);
  }
  const seconds = Math.round(performance.now() - began) / 1000;
  const [, second = 1] = tenthsSeconds;
  const ratio = Math.round((100 * (tenthsSeconds.at(-1) ?? 0)) / second) / 100;
  return { ...scenarioOf("deployments", count, 0, times), seconds, tenthsSeconds, note: `${seconds} s; the last tenth took ${ratio} times the second` };
}

/** Invokes once each of some functions, spread over all of them. */
async function firstAnswers(berth: Subject, count: number, readyMs: number): Promise<Scenario> {
  const times = latencies();
  let firstAnswerMs: number | undefined;
  let errors = 0;
  for (let i = 0; i < INVOKED; i++) {
    const at = performance.now();
    const response = await fetch(`${berth.invokeUrl}/function/f${Math.floor((i * count) / INVOKED)}`);
    await response.text();
    const ms = performance.now() - at;
    firstAnswerMs ??= Math.round(readyMs + ms);
    times.recordValue(Math.round(ms * 1000));
    if (!response.ok) errors += 1;
  }
  const memory = berth.footprint();
  const note = `ready after ${Math.round(readyMs)} ms, first answer after ${firstAnswerMs} ms; ${inWords([memory])}`;
  return { ...scenarioOf("restart", INVOKED, errors, times), readyMs: Math.round(readyMs), firstAnswerMs, memory: [memory], note };
}
