import { openLoop } from "../driver.ts";
import { type Scenario, scenarioOf } from "../report/scenario.ts";
import type { Progress } from "../scenarios.ts";
import type { Subject } from "../subject.ts";
import { BURST, ClusterSubject } from "./cluster-subject.ts";
import { IMAGE } from "./programs.ts";
import { rollouts } from "./rollouts.ts";
import { Tally } from "./tally.ts";

export interface ClusterSize {
  eager: number;
  paced: number;
  /** Starts of each kind that are measured one at a time. */
  alone: number;
  cold: number;
  rollouts: number;
  burstRounds: number;
  warmSeconds: number;
  rounds: number;
}

/** Arrivals per second: as on one machine, and as two cores can refill a pool of pods. */
const RATE = 2;
const PACED_RATE = 0.3;
const WARM_RATE = 200;
const POOL = 4;

/** Scenarios on a cluster, in turns within one run: what the machine does beside them falls on all alike. */
export async function clusterScenarios(size: ClusterSize, progress: Progress): Promise<Scenario[]> {
  const eager = new Tally("eager");
  const paced = new Tally("eager-paced");
  const alone = new Tally("eager-alone");
  const swap = new Tally("claim-swap");
  const imageSwap = new Tally("image-swap");
  const cold = new Tally("cold");
  const subjects = [
    await ClusterSubject.start(POOL, "inline", size.eager + size.paced + size.alone),
    await ClusterSubject.start(POOL, "image", size.alone),
    await ClusterSubject.start(POOL, "inline", size.alone, IMAGE),
    await ClusterSubject.start(0, "inline", size.cold),
  ] as const;
  const [inline, image, program, none] = subjects;
  try {
    const slice = (total: number) => Math.ceil(total / size.rounds);
    for (let round = 0; round < size.rounds; round++) {
      await inline.invokeAlone("eager-alone", slice(size.alone), alone, progress, size.alone);
      await image.invokeAlone("claim-swap", slice(size.alone), swap, progress, size.alone);
      await program.invokeAlone("image-swap", slice(size.alone), imageSwap, progress, size.alone);
      await none.invokeAlone("cold", slice(size.cold), cold, progress, size.cold);
      await inline.invokeNew("eager-paced", slice(size.paced), PACED_RATE, paced, progress, size.paced);
    }
    const warm = await warmOn(inline.berth, size.warmSeconds);
    const releases = await rollouts(image.berth, size.rollouts, progress);
    await inline.invokeNew("eager", size.eager, RATE, eager, progress, size.eager);
    const ratio = (imageSwap.times.getValueAtPercentile(50) / swap.times.getValueAtPercentile(50)).toFixed(2);
    const images = imageSwap.scenario(`an image of the user; ${ratio} × claim-swap at p50`);
    const scenarios = [cold.scenario(), swap.scenario(), images, alone.scenario(), paced.scenario(`${PACED_RATE}/s`), eager.scenario(`${RATE}/s`)];
    return [...scenarios, ...releases, warm];
  } finally {
    for (const subject of subjects) await subject.stop();
  }
}

/** 20 new functions at the same moment, on a pool of 3. */
export async function clusterBursts({ burstRounds }: ClusterSize, progress: Progress): Promise<Scenario[]> {
  const tally = new Tally("burst");
  let slowest = 0;
  for (let round = 0; round < burstRounds; round++) {
    const subject = await ClusterSubject.start(3, "inline", BURST);
    try {
      slowest = Math.max(slowest, await subject.burst(tally));
    } finally {
      await subject.stop();
    }
    progress("burst", round + 1, burstRounds);
  }
  return [tally.scenario(`last after ${Math.round(slowest)} ms`)];
}

async function warmOn(berth: Subject, seconds: number): Promise<Scenario> {
  const url = `${berth.invokeUrl}/function/first-0`;
  await (await fetch(url)).text();
  let errors = 0;
  const count = WARM_RATE * seconds;
  const onOutcome = ({ error }: { error: string | null }) => {
    if (error) errors += 1;
  };
  const times = await openLoop({ rate: WARM_RATE, count, shot: () => ({ url }), onOutcome });
  return { ...scenarioOf("warm", count, errors, times), requestsPerSecond: WARM_RATE };
}
