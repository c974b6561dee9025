import { Agent } from "node:http";
import autocannon from "autocannon";
import { fire, latencies, openLoop, random } from "./driver.ts";
import { type Scenario, scenarioOf } from "./report/scenario.ts";
import { Subject } from "./subject.ts";

export interface Size {
  prewarmed: number;
  cold: number;
  burstRounds: number;
  seconds: number;
}

export interface Memory {
  prewarmedInstanceMb: number;
  warmHelloMb: number;
  managerAndRouterMb: number;
}

export type Progress = (scenario: string, done: number, total: number) => void;

/** The functions that a scenario deploys, in one language. */
export interface Language {
  runtime: string;
  /** Uploads a function that answers at once; returns the digest of its code. */
  hello(berth: Subject): Promise<string>;
  /** The same with about 1 MB of code. */
  big(berth: Subject): Promise<string>;
}

export const HELLO = 'export default { fetch: () => Response.json({ message: "Hello, world!" }) };';
const BURST = 20;

/** About 1 MB of code as a bundler would emit it: many different functions, one of which is called. */
export function bigBundle(): string {
  const next = random(7);
  const parts: string[] = [];
  for (let i = 0; parts.length * 250 < 1_000_000; i++) {
    const a = Math.floor(next() * 1e6);
    parts.push(
      `function part${i}(input, options = {}) {\n  const table = { key: ${a}, name: "part-${i}", list: [${a % 97}, ${a % 89}, ${a % 83}] };\n  if (options.deep && input > table.key) return part${Math.max(0, i - 1)}(input - 1, options);\n  return table.list.reduce((sum, x) => sum + x * input, table.name.length);\n}`,
    );
  }
  const last = parts.length - 1;
  return `${parts.join("\n")}\nexport default { fetch: () => Response.json({ sum: part${last}(3) }) };\n`;
}

interface Starts {
  poolSize: number;
  count: number;
  /** New functions per second. */
  rate: number;
}

/** Invokes new functions once each, at Poisson arrivals, on a pool of this size. */
async function starts(name: string, { runtime, hello, big }: Language, { poolSize, count, rate }: Starts, progress: Progress): Promise<Scenario> {
  const berth = await Subject.start(poolSize);
  try {
    const codes = [await hello(berth), await big(berth)] as const;
    // The first start of a new manager compiles the manager's own code, which users' functions do not experience.
    for (const [i, code] of codes.entries()) {
      await berth.deploy(`first-${i}`, code, { runtime });
      await (await fetch(`${berth.invokeUrl}/function/first-${i}`)).text();
    }
    for (let i = 0; i < count; i++) await berth.deploy(`f${i}`, codes[i % 2] as string, { runtime, idleTimeout: "20s" });
    await berth.settled(poolSize, runtime);
    let errors = 0;
    let done = 0;
    const kinds = new Map<string, number>();
    const cpu = berth.cpuUs();
    const times = await openLoop({
      rate,
      count,
      seed: 3,
      shot: (i) => ({ url: `${berth.invokeUrl}/function/f${i}` }),
      onOutcome: ({ error, headers }) => {
        if (error) errors += 1;
        const kind = String(headers["x-berth-start"]);
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        progress(name, ++done, count);
      },
    });
    const [spare] = poolSize > 0 ? (await berth.instances()).filter(({ pool, state }) => pool === runtime && state === "prewarmed") : [];
    const memory = spare ? `, ${berth.memory(spare.uid)} MB private each` : "";
    const note = [...kinds].map(([kind, n]) => `${n} ${kind}`).join(", ");
    return { ...scenarioOf(name, count, errors, times), cpuUsPerRequest: Math.round((berth.cpuUs() - cpu) / count), note: `${rate}/s, ${note}${memory}` };
  } finally {
    await berth.stop();
  }
}

const nameIn = (scenario: string, { runtime }: Language) => (runtime === "node" ? scenario : `${scenario} ${runtime}`);

export function prewarmed({ prewarmed: count }: Size, language: Language, progress: Progress): Promise<Scenario> {
  return starts(nameIn("prewarmed", language), language, { poolSize: 4, count, rate: 2 }, progress);
}

export function cold({ cold: count }: Size, language: Language, progress: Progress): Promise<Scenario> {
  return starts(nameIn("cold", language), language, { poolSize: 0, count, rate: 1 }, progress);
}

/** Invokes 20 new functions at the same moment, on a pool of 3. */
export async function burst({ burstRounds }: Size, progress: Progress): Promise<Scenario> {
  const times = latencies();
  let errors = 0;
  let slowest = 0;
  for (let round = 0; round < burstRounds; round++) {
    const berth = await Subject.start(3);
    try {
      const code = await berth.upload(HELLO);
      for (let i = 0; i < BURST; i++) await berth.deploy(`f${i}`, code);
      await berth.settled(3);
      const agent = new Agent({ keepAlive: true });
      const at = performance.now();
      const shots = Array.from({ length: BURST }, (_, i) => fire({ url: `${berth.invokeUrl}/function/f${i}` }, agent, at, 60_000));
      for (const { error, firstByteMs } of await Promise.all(shots)) {
        if (error) errors += 1;
        times.recordValue(Math.round(firstByteMs * 1000));
        slowest = Math.max(slowest, firstByteMs);
      }
      agent.destroy();
      progress("burst", round + 1, burstRounds);
    } finally {
      await berth.stop();
    }
  }
  return { ...scenarioOf("burst", BURST * burstRounds, errors, times), note: `last after ${Math.round(slowest)} ms` };
}

/** Measures peak throughput through the router; then, at half of it, latency through the router and directly, in turns. */
export async function warm({ seconds }: Size, progress: Progress): Promise<{ scenarios: Scenario[]; memory: Memory }> {
  const berth = await Subject.start(1);
  try {
    await berth.settled(1);
    const [spare] = await berth.instances();
    const prewarmedInstanceMb = berth.memory(spare?.uid);
    await berth.deploy("hello", await berth.upload(HELLO));
    const url = `${berth.invokeUrl}/function/hello`;
    await (await fetch(url)).text();
    const instance = (await berth.instances()).find((candidate) => candidate.function === "hello");
    await berth.settled(1);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const memory = { prewarmedInstanceMb, warmHelloMb: berth.memory(instance?.uid), managerAndRouterMb: berth.memory() };
    const throughput = await peak(berth, url, seconds, progress);
    const rate = Math.min(throughput.requestsPerSecond ?? 0, MAX_RATE) / 2;
    const { uid } = await berth.api.get<{ uid: string }>("/v1/functions/hello");
    const direct = { url: `http://${instance?.address}/`, headers: { "x-berth-function": uid, "x-berth-revision": "r1", "x-call-id": "direct" } };
    return { scenarios: [throughput, ...(await compare(berth, { url }, direct, rate, seconds, progress))], memory };
  } finally {
    await berth.stop();
  }
}

/** The highest rate, in requests per second: the driver needs a core itself, and beyond this would measure itself. */
const MAX_RATE = 4000;

async function peak(berth: Subject, url: string, seconds: number, progress: Progress): Promise<Scenario> {
  // Without a rate autocannon does not correct for coordinated omission, and only its count is used.
  const options = { url, connections: 16 };
  await autocannon({ ...options, duration: 1 });
  const cpu = berth.cpuUs();
  const result = await autocannon({ ...options, duration: seconds });
  progress("throughput", 1, 1);
  const errors = result.errors + result.non2xx;
  const n = result.requests.total;
  const cpuUsPerRequest = Math.round((berth.cpuUs() - cpu) / n);
  return { name: "throughput", n, errors, requestsPerSecond: Math.round(n / result.duration), cpuUsPerRequest, note: "16 connections" };
}

type Target = { url: string; headers?: Record<string, string> };
const SLICES = 6;

/** Measures both in interleaved slices, so that other load on the machine affects both alike. */
async function compare(berth: Subject, router: Target, direct: Target, rate: number, seconds: number, progress: Progress): Promise<Scenario[]> {
  const sums = { warm: latencies(), direct: latencies() };
  const errors = { warm: 0, direct: 0 };
  const count = Math.max(50, Math.round((rate * seconds) / SLICES));
  let cpuUs = 0;
  for (let slice = 0; slice < SLICES; slice++) {
    for (const name of ["warm", "direct"] as const) {
      const cpu = berth.cpuUs();
      const onOutcome = ({ error }: { error: string | null }) => {
        if (error) errors[name] += 1;
      };
      const shot = () => (name === "warm" ? router : direct);
      sums[name].add(await openLoop({ rate, count, seed: slice + 1, shot, onOutcome }));
      if (name === "warm") cpuUs += berth.cpuUs() - cpu;
    }
    progress("warm", slice + 1, SLICES);
  }
  const n = count * SLICES;
  const [through, past] = [scenarioOf("warm", n, errors.warm, sums.warm), scenarioOf("direct", n, errors.direct, sums.direct)];
  const added = ((through.p50Ms ?? 0) - (past.p50Ms ?? 0)).toFixed(2);
  return [
    { ...through, cpuUsPerRequest: Math.round(cpuUs / n), requestsPerSecond: Math.round(rate), note: `adds ${added} ms at p50` },
    { ...past, requestsPerSecond: Math.round(rate), note: "the instance itself" },
  ];
}
