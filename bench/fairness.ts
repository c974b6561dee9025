import type { Histogram } from "hdr-histogram-js";
import { latencies, openLoop } from "./driver.ts";
import { type Scenario, scenarioOf } from "./report/scenario.ts";
import { HELLO, type Progress } from "./scenarios.ts";
import { Subject } from "./subject.ts";

export interface FairnessSize {
  rounds: number;
}

const BESIDE = ["alone", "burst", "greedy"] as const;
type Beside = (typeof BESIDE)[number];

const POOL = 6;
/** The quiet function's invocations per second in each slice; the greedy one gets ten times as many. */
const RATE = 50;
const GREED = 10;
const SHOTS = 300;
/** New functions in each slice: STARTS one after the other, and in a burst BURST more at once. */
const STARTS = 4;
const BURST = 10;

/** Measures a quiet function and the starts of new ones: alone, beside a burst of new functions, and beside a function at ten times the quiet one's rate. */
export async function fairness(size: FairnessSize, progress: Progress): Promise<Scenario[]> {
  const berth = await Subject.start(POOL);
  try {
    const code = await berth.upload(HELLO);
    for (const name of ["quiet", "greedy"]) {
      await berth.deploy(name, code, { minScale: 1 });
      await (await fetch(`${berth.invokeUrl}/function/${name}`)).text();
    }
    const all = new Map(BESIDE.map((beside) => [beside, { warm: latencies(), start: latencies(), errors: 0 }]));
    for (let round = 0; round < size.rounds; round++) {
      for (const beside of BESIDE) {
        await berth.settled(POOL);
        const into = all.get(beside) as Found;
        await slice(berth, code, beside, round, into);
      }
      progress("fairness", round + 1, size.rounds);
    }
    return BESIDE.flatMap((beside) => report(beside, all.get(beside) as Found, all.get("alone") as Found));
  } finally {
    await berth.stop();
  }
}

interface Found {
  warm: Histogram;
  start: Histogram;
  errors: number;
}

async function slice(berth: Subject, code: string, beside: Beside, round: number, into: Found): Promise<void> {
  const url = (name: string) => ({ url: `${berth.invokeUrl}/function/${name}` });
  const onOutcome = ({ error }: { error: string | null }) => {
    if (error) into.errors += 1;
  };
  const fresh = Array.from({ length: STARTS }, (_, i) => `start-${beside}-${round}-${i}`);
  const crowd = beside === "burst" ? Array.from({ length: BURST }, (_, i) => `crowd-${round}-${i}`) : [];
  for (const name of [...fresh, ...crowd]) await berth.deploy(name, code, { idleTimeout: "1s" });
  const seconds = SHOTS / RATE;
  const quiet = openLoop({ rate: RATE, count: SHOTS, seed: round, shot: () => url("quiet"), onOutcome });
  const starts = openLoop({ rate: STARTS / seconds, count: STARTS, seed: round + 100, shot: (i) => url(fresh[i] as string), onOutcome });
  const others: Promise<unknown>[] = [];
  if (beside === "greedy") others.push(openLoop({ rate: RATE * GREED, count: SHOTS * GREED, seed: round, shot: () => url("greedy"), onOutcome }));
  // The burst comes in three waves over the slice, so that starts and invocations meet one at any time.
  for (let wave = 0; wave < 3 && crowd.length > 0; wave++) {
    const part = crowd.filter((_, i) => i % 3 === wave);
    others.push(
      new Promise((resolve) => setTimeout(resolve, (wave * seconds * 1000) / 3)).then(() =>
        openLoop({ rate: 1000, count: part.length, seed: wave, shot: (i) => url(part[i] as string), onOutcome }),
      ),
    );
  }
  into.warm.add(await quiet);
  into.start.add(await starts);
  await Promise.all(others);
  for (const name of [...fresh, ...crowd]) await berth.api.call("DELETE", `/v1/functions/${name}`);
}

function report(beside: Beside, found: Found, alone: Found): Scenario[] {
  const of = (name: "warm" | "start", percentile: number): Scenario => {
    const at = (histogram: Histogram) => histogram.getValueAtPercentile(percentile);
    const ratio = Math.round((100 * at(found[name])) / at(alone[name])) / 100;
    const scenario = scenarioOf(`${name}-${beside}`, found[name].totalCount, found.errors, found[name]);
    return beside === "alone" ? scenario : { ...scenario, note: `p${percentile} ${ratio} times that of ${name}-alone` };
  };
  return [of("warm", 99), of("start", 95)];
}
