import autocannon from "autocannon";
import Table from "cli-table3";
import type { Histogram } from "hdr-histogram-js";
import { ROUTER_HEADER, type TableChange, type TableFunction } from "../../pool-manager/client/contract.ts";
import { latencies, openLoop } from "../driver.ts";
import { type Scenario, scenarioOf } from "../report/scenario.ts";
import { HELLO, type Progress } from "../scenarios.ts";
import { Subject } from "../subject.ts";
import { direct, type Front, nginx, proxy, router, tableServer, type Upstream } from "./fronts.ts";

export interface RouterSize {
  rounds: number;
  /** How long each closed-loop measurement takes. */
  seconds: number;
  /** Requests of each open-loop slice. */
  shots: number;
}

const CONNECTIONS = [1, 8, 64] as const;
type Connections = (typeof CONNECTIONS)[number];
/** The highest rate, in requests per second: the driver needs a core itself, and beyond this would measure itself. */
const MAX_RATE = 3000;
/** The table of a large installation. */
const MANY = { functions: 1000, endpoints: 5 };

/** The measurements of one front, summed over the rounds. */
class Measured {
  readonly front: Front;
  readonly times: Histogram = latencies();
  readonly #peaks = new Map<Connections, { requests: number; seconds: number; cpuUs: number }>();
  shots = 0;
  errors = 0;

  constructor(front: Front) {
    this.front = front;
  }

  async peak(connections: Connections, seconds: number): Promise<void> {
    const { url, headers, cpuUs } = this.front;
    const before = cpuUs();
    // Without a rate autocannon does not correct for coordinated omission, and only its count is used.
    const result = await autocannon({ url, headers, connections, duration: seconds });
    const sum = this.#peaks.get(connections) ?? { requests: 0, seconds: 0, cpuUs: 0 };
    sum.requests += result.requests.total;
    sum.seconds += result.duration;
    sum.cpuUs += cpuUs() - before;
    this.#peaks.set(connections, sum);
    this.errors += result.errors + result.non2xx;
  }

  async latency(rate: number, count: number, seed: number): Promise<void> {
    const { url, headers } = this.front;
    const onOutcome = ({ error }: { error: string | null }) => {
      if (error) this.errors += 1;
    };
    this.times.add(await openLoop({ rate, count, seed, shot: () => ({ url, headers }), onOutcome }));
    this.shots += count;
  }

  requestsPerSecond(connections: Connections): number {
    const { requests, seconds } = this.#peaks.get(connections) ?? { requests: 0, seconds: 1 };
    return requests / seconds;
  }

  /** The mean with 8 and 64 connections. */
  get cpuUsPerRequest(): number {
    const sums = [...this.#peaks].filter(([connections]) => connections > 1).map(([, sum]) => sum);
    const total = (name: "cpuUs" | "requests") => sums.reduce((sum, one) => sum + one[name], 0);
    return total("cpuUs") / Math.max(1, total("requests"));
  }
}

/** Measures the router and other proxies in turns within one run, all in front of the same instance. */
export async function routerScenarios(size: RouterSize, progress: Progress): Promise<Scenario[]> {
  const berth = await Subject.start(1);
  const stops: (() => unknown)[] = [() => berth.stop()];
  try {
    const { upstream, hello } = await helloOn(berth);
    const large = await tableServer(manyFunctions(hello));
    stops.unshift(() => large.close());
    const fronts = [
      await nginx(upstream),
      await router("berth", berth.api.url),
      await router("berth-1000", large.url),
      await proxy("reply-from", upstream),
      await proxy("node-http", upstream),
      direct(upstream),
    ];
    stops.unshift(...fronts.map((front) => () => front.stop()));
    const all = fronts.map((front) => new Measured(front));
    for (const measured of all) await measured.peak(8, 1);
    const warmed = fronts.map((front) => new Measured(front));
    for (let round = 0; round < size.rounds; round++) {
      for (const connections of CONNECTIONS) for (const measured of warmed) await measured.peak(connections, size.seconds);
      progress("router", round + 1, size.rounds * 2);
    }
    const slowest = Math.min(...warmed.map((measured) => measured.requestsPerSecond(8)));
    const rate = Math.min(slowest, MAX_RATE) / 2;
    for (let round = 0; round < size.rounds; round++) {
      for (const measured of warmed) await measured.latency(rate, size.shots, round + 1);
      progress("router", size.rounds + round + 1, size.rounds * 2);
    }
    return report(warmed, rate);
  } finally {
    for (const stop of stops) await stop();
  }
}

/** Deploys the function and has it warm; returns its address and its entry of the table. */
export async function helloOn(berth: Subject): Promise<{ upstream: Upstream; hello: TableFunction }> {
  await berth.deploy("hello", await berth.upload(HELLO), { minScale: 1 });
  await (await fetch(`${berth.invokeUrl}/function/hello`)).text();
  await berth.settled(1);
  const response = await fetch(`${berth.api.url}/v1/table?router=bench&host=127.0.0.1&port=1`, { headers: { [ROUTER_HEADER]: "bench" } });
  const reader = response.body?.getReader();
  let text = "";
  while (!text.includes("\n")) text += Buffer.from((await reader?.read())?.value ?? []).toString("utf8");
  await reader?.cancel();
  const snapshot = JSON.parse(text.split("\n")[0] ?? "") as Extract<TableChange, { type: "snapshot" }>;
  const hello = snapshot.functions.find(({ name }) => name === "hello") as TableFunction;
  const [endpoint] = hello.endpoints;
  const headers = { "x-berth-function": hello.uid, "x-berth-revision": hello.revision };
  return { upstream: { url: `http://${endpoint?.host}:${endpoint?.port}/`, headers }, hello };
}

function manyFunctions(hello: TableFunction): TableFunction[] {
  const [endpoint] = hello.endpoints;
  const others = Array.from({ length: MANY.functions - 1 }, (_, i) => ({
    ...hello,
    uid: `uid-${i}`,
    name: `other-${i}`,
    endpoints: Array.from({ length: MANY.endpoints }, (_, j) => ({
      ...(endpoint as TableFunction["endpoints"][number]),
      instanceUid: `${i}-${j}`,
      host: "127.0.0.2",
      port: 1 + ((i * MANY.endpoints + j) % 65_000),
    })),
  }));
  return [hello, ...others];
}

function report(all: readonly Measured[], rate: number): Scenario[] {
  const of = (name: string) => all.find(({ front }) => front.name === name) as Measured;
  const [base, past] = [of("nginx").cpuUsPerRequest, of("direct")];
  const rows = all.map((measured): Scenario => {
    const { front, shots, errors, times, cpuUsPerRequest } = measured;
    const scenario = scenarioOf(front.name, shots, errors, times);
    const added = (percentile: number) => Math.round(times.getValueAtPercentile(percentile) - past.times.getValueAtPercentile(percentile)) / 1000;
    const at = Object.fromEntries(CONNECTIONS.map((connections) => [connections, Math.round(measured.requestsPerSecond(connections))]));
    const proxied =
      front.name === "direct" ? {} : { cpuUsPerRequest: Math.round(cpuUsPerRequest * 10) / 10, cpuOfNginx: Math.round((100 * cpuUsPerRequest) / base) / 100 };
    return { ...scenario, ...proxied, requestsPerSecond: Math.round(rate), requestsPerSecondAt: at, addedP50Ms: added(50), addedP99Ms: added(99) };
  });
  const table = new Table({
    head: ["front", "req/s at 1", "at 8", "at 64", "CPU µs/req", "× nginx", "added p50 ms", "added p99 ms", "errors"],
    colAligns: ["left", ...Array<"right">(8).fill("right")],
    style: { head: [], border: [] },
  });
  for (const { name, requestsPerSecondAt: at, cpuUsPerRequest, cpuOfNginx, addedP50Ms, addedP99Ms, errors } of rows) {
    table.push([name, at?.[1], at?.[8], at?.[64], cpuUsPerRequest ?? "", cpuOfNginx ?? "", addedP50Ms?.toFixed(2), addedP99Ms?.toFixed(2), errors]);
  }
  process.stdout.write(`${table.toString()}\nlatency at ${Math.round(rate)} requests a second\n`);
  return rows;
}
