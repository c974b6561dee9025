import { latencies, openLoop } from "../driver.ts";
import { type Scenario, scenarioOf } from "../report/scenario.ts";
import { HELLO, type Progress } from "../scenarios.ts";
import { Subject } from "../subject.ts";
import { Answers, inWords } from "./answers.ts";

const POOL = 4;
const MAX = 8;
/** Invocations per second: effectively all at once, as far as one driver process can send them. */
const RATE = 5000;
/** The number of successive warm invocations, before and after. */
const WARM = 50;

/** Invokes at once functions that no instance has loaded. Invocations that cannot be served in time must be refused, and warm functions must be served as before. */
export async function coldCrowd(count: number, progress: Progress): Promise<Scenario[]> {
  const berth = await Subject.start(POOL, ["--pool-max", String(MAX)]);
  try {
    const code = await berth.upload(HELLO);
    await berth.deploy("warm", code, { minScale: 1 });
    for (let i = 0; i < count; i++) await berth.deploy(`f${i}`, code);
    const url = (name: string) => `${berth.invokeUrl}/function/${name}`;
    await medianMs(url("warm"));
    await berth.settled(POOL);
    const [before, usualMs] = [berth.footprint(), await medianMs(url("warm"))];
    const answers = new Answers();
    const times = latencies();
    let done = 0;
    await openLoop({
      rate: RATE,
      count,
      shot: (i) => ({ url: url(`f${i}`) }),
      onOutcome: (outcome) => {
        if (answers.add(outcome)) times.recordValue(Math.round(outcome.firstByteMs * 1000));
        progress("cold-crowd", ++done, count);
      },
    });
    const memory = [before, berth.footprint()];
    if (!berth.isAlive) throw new Error("berth has ended");
    const afterMs = await medianMs(url("warm"));
    const note = `${JSON.stringify(answers.counts)}; a warm invocation takes ${usualMs} ms before and ${afterMs} ms after; ${inWords(memory)}`;
    return [{ ...scenarioOf("cold-crowd", count, answers.errors, times), answers: answers.counts, memory, note }];
  } finally {
    await berth.stop();
  }
}

async function medianMs(url: string): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < WARM; i++) {
    const at = performance.now();
    const response = await fetch(url);
    await response.text();
    if (!response.ok) throw new Error(`${url} answers with status ${response.status}`);
    times.push(performance.now() - at);
  }
  return Math.round(100 * (times.sort((a, b) => a - b)[WARM / 2] as number)) / 100;
}
