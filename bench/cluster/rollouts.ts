import { latencies } from "../driver.ts";
import { type Scenario, scenarioOf } from "../report/scenario.ts";
import type { Progress } from "../scenarios.ts";
import type { Subject } from "../subject.ts";
import { quiet } from "./machine.ts";
import { freshNamespace } from "./namespace.ts";
import { RecreateSubject } from "./recreate.ts";

/** A new revision in place on a bound instance, by image; beside it the same by Kruise's ReCreate. In turns. */
export async function rollouts(berth: Subject, count: number, progress: Progress): Promise<Scenario[]> {
  const swaps = latencies();
  const recreates = latencies();
  const created = latencies();
  let errors = 0;
  const recreate = await RecreateSubject.start(freshNamespace());
  try {
    await berth.deploy("roll", await berth.upload(revised(0)), { minScale: 1 });
    await (await fetch(`${berth.invokeUrl}/function/roll`)).text();
    for (let i = 1; i <= count; i++) {
      await quiet();
      const code = await berth.upload(revised(i));
      const from = performance.now();
      await berth.deploy("roll", code, { minScale: 1 });
      const ok = await answers(`${berth.invokeUrl}/function/roll`, `revision ${i}`);
      if (!ok) errors += 1;
      swaps.recordValue(Math.round((performance.now() - from) * 1000));
      await quiet();
      recreates.recordValue(Math.round((await recreate.release(revised(i), `revision ${i}`)) * 1000));
      await recreate.empty();
      await quiet();
      created.recordValue(Math.round((await recreate.create(`revision ${i}`)) * 1000));
      progress("rollout-swap", i, count);
    }
  } finally {
    await recreate.stop();
  }
  const [swap, other] = [scenarioOf("rollout-swap", count, errors, swaps), scenarioOf("recreate", count, 0, recreates)];
  const image = scenarioOf("cold-image", count, 0, created);
  const saved = 100 * (1 - (swap.p50Ms ?? 0) / (other.p50Ms ?? 1));
  return [
    { ...swap, note: `from the deployment to its first answer; ${saved.toFixed(0)} % below recreate at p50` },
    { ...other, note: "from the PATCH to the first answer of the new pod" },
    { ...image, note: "the same for a pod that is created with the function's image where there was none" },
  ];
}

function revised(i: number): string {
  return `export default { fetch: () => new Response("revision ${i}") };`;
}

async function answers(url: string, text: string): Promise<boolean> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; ) {
    if ((await (await fetch(url)).text()) === text) return true;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return false;
}
