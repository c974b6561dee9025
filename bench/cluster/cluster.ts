import { Agent } from "node:http";
import { fire, latencies, openLoop } from "../driver.ts";
import { machineTimes, type Scenario, scenarioOf } from "../report.ts";
import { bigBundle, HELLO, type Progress } from "../scenarios.ts";
import { Subject } from "../subject.ts";
import { deleteNamespace, freshNamespace } from "./namespace.ts";
import { RecreateSubject } from "./recreate.ts";

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
const BURST = 20;
const POOL = 4;
/** An idle cluster takes a tenth of a core. Milliseconds of a second. */
const QUIET_MS = 300;

/** A Berth on the cluster in a namespace of its own, and what its starts have cost. */
class ClusterSubject {
  readonly berth: Subject;
  readonly #namespace: string;
  readonly #poolSize: number;
  #next = 0;

  private constructor(berth: Subject, namespace: string, poolSize: number) {
    this.berth = berth;
    this.#namespace = namespace;
    this.#poolSize = poolSize;
  }

  static async start(poolSize: number, loadPath: "inline" | "image", functions: number): Promise<ClusterSubject> {
    const namespace = freshNamespace();
    const berth = await Subject.start(poolSize, ["--platform", "kruise", "--namespace", namespace, "--load-path", loadPath]);
    const subject = new ClusterSubject(berth, namespace, poolSize);
    const codes = [await berth.upload(HELLO), await berth.upload(bigBundle())] as const;
    for (const [i, code] of codes.entries()) {
      await berth.deploy(`first-${i}`, code);
      await (await fetch(`${berth.invokeUrl}/function/first-${i}`)).text();
    }
    for (let i = 0; i < functions; i++) await berth.deploy(`f${i}`, codes[i % 2] as string, { idleTimeout: "20s" });
    await subject.settled();
    return subject;
  }

  /** The pool is full, and the machine is done with what came before: refills, deletions, downloads ahead. */
  async settled(): Promise<void> {
    await this.berth.settled(this.#poolSize);
    await quiet();
  }

  /** Functions that were never invoked before, at Poisson arrivals. */
  async invokeNew(name: string, count: number, rate: number, tally: Tally, progress: Progress, total: number): Promise<void> {
    const first = this.#next;
    this.#next += count;
    const before = await this.#costs();
    const shot = (i: number) => ({ url: `${this.berth.invokeUrl}/function/f${first + i}` });
    const onOutcome = ({ error, headers }: { error: string | null; headers: Record<string, unknown> }) => {
      tally.outcome(error, String(headers["x-berth-start"]));
      progress(name, tally.n, total);
    };
    tally.times.add(await openLoop({ rate, count, seed: first + 3, shot, onOutcome, timeoutMs: 120_000 }));
    await this.settled();
    tally.costs(before, await this.#costs());
  }

  /** The same one at a time, each on a full pool; its refill follows it. */
  async invokeAlone(name: string, count: number, tally: Tally, progress: Progress, total: number): Promise<void> {
    const agent = new Agent({ keepAlive: true });
    for (let i = 0; i < count; i++) {
      const before = await this.#costs();
      const { error, firstByteMs, headers } = await fire({ url: `${this.berth.invokeUrl}/function/f${this.#next++}` }, agent, performance.now(), 60_000);
      tally.outcome(error, String(headers["x-berth-start"]));
      tally.times.recordValue(Math.round(firstByteMs * 1000));
      progress(name, tally.n, total);
      await this.settled();
      tally.costs(before, await this.#costs());
    }
    agent.destroy();
  }

  async burst(tally: Tally): Promise<number> {
    const before = await this.#costs();
    const agent = new Agent({ keepAlive: true });
    const at = performance.now();
    const shots = Array.from({ length: BURST }, (_, i) => fire({ url: `${this.berth.invokeUrl}/function/f${i}` }, agent, at, 120_000));
    let slowest = 0;
    for (const { error, firstByteMs, headers } of await Promise.all(shots)) {
      tally.outcome(error, String(headers["x-berth-start"]));
      tally.times.recordValue(Math.round(firstByteMs * 1000));
      slowest = Math.max(slowest, firstByteMs);
    }
    agent.destroy();
    await this.settled();
    tally.costs(before, await this.#costs());
    return slowest;
  }

  async stop(): Promise<void> {
    await this.berth.stop();
    await deleteNamespace(this.#namespace);
  }

  async #costs(): Promise<Costs> {
    const { berth } = this;
    return { ownUs: berth.cpuUs(), machineMs: machineBusyMs(), writes: await berth.counter("berth_api_writes_total", 'purpose="claim"') };
  }
}

interface Costs {
  ownUs: number;
  machineMs: number;
  writes: number;
}

/** What the slices of one scenario add up to. */
class Tally {
  readonly name: string;
  readonly times = latencies();
  readonly #kinds = new Map<string, number>();
  readonly #sum: Costs = { ownUs: 0, machineMs: 0, writes: 0 };
  n = 0;
  errors = 0;

  constructor(name: string) {
    this.name = name;
  }

  outcome(error: string | null, kind: string): void {
    this.n += 1;
    if (error) this.errors += 1;
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
  }

  costs(before: Costs, after: Costs): void {
    for (const name of ["ownUs", "machineMs", "writes"] as const) this.#sum[name] += after[name] - before[name];
  }

  scenario(note = ""): Scenario {
    const per = (value: number) => value / Math.max(1, this.n);
    const kinds = [...this.#kinds].map(([kind, n]) => `${n} ${kind}`).join(", ");
    return {
      ...scenarioOf(this.name, this.n, this.errors, this.times),
      cpuUsPerRequest: Math.round(per(this.#sum.ownUs)),
      machineCpuMsPerStart: Math.round(per(this.#sum.machineMs)),
      apiWritesPerClaim: Math.round(per(this.#sum.writes) * 100) / 100,
      note: [note, kinds].filter(Boolean).join(", "),
    };
  }
}

/** Scenarios on a cluster, in turns within one run: what the machine does beside them falls on all alike. */
export async function clusterScenarios(size: ClusterSize, progress: Progress): Promise<Scenario[]> {
  const eager = new Tally("eager");
  const paced = new Tally("eager-paced");
  const alone = new Tally("eager-alone");
  const swap = new Tally("claim-swap");
  const cold = new Tally("cold");
  const subjects = [
    await ClusterSubject.start(POOL, "inline", size.eager + size.paced + size.alone),
    await ClusterSubject.start(POOL, "image", size.alone),
    await ClusterSubject.start(0, "inline", size.cold),
  ] as const;
  const [inline, image, none] = subjects;
  try {
    const slice = (total: number) => Math.ceil(total / size.rounds);
    for (let round = 0; round < size.rounds; round++) {
      await inline.invokeAlone("eager-alone", slice(size.alone), alone, progress, size.alone);
      await image.invokeAlone("claim-swap", slice(size.alone), swap, progress, size.alone);
      await none.invokeAlone("cold", slice(size.cold), cold, progress, size.cold);
      await inline.invokeNew("eager-paced", slice(size.paced), PACED_RATE, paced, progress, size.paced);
    }
    const warm = await warmOn(inline.berth, size.warmSeconds);
    const releases = await rollouts(image.berth, size.rollouts, progress);
    await inline.invokeNew("eager", size.eager, RATE, eager, progress, size.eager);
    const scenarios = [cold.scenario(), swap.scenario(), alone.scenario(), paced.scenario(`${PACED_RATE}/s`), eager.scenario(`${RATE}/s`)];
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

/** A new revision in place on a bound instance, by image; beside it the same by Kruise's ReCreate. In turns. */
async function rollouts(berth: Subject, count: number, progress: Progress): Promise<Scenario[]> {
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

/** Waits for a second in which the machine does next to nothing; not for ever, since some never come to rest. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 15; i++) {
    const before = machineBusyMs();
    // The kubelet looks for changes once a second: an even second would meet it in the same phase each time.
    await new Promise((resolve) => setTimeout(resolve, 1000 + Math.random() * 500));
    if (machineBusyMs() - before < QUIET_MS) return;
  }
}

/** Time that the processors of this machine were busy. */
function machineBusyMs(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = machineTimes();
  return (user + nice + system + irq + softirq) * 10;
}
