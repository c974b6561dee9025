import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import autocannon from "autocannon";
import Table from "cli-table3";
import type { Scenario } from "../report/scenario.ts";
import type { Progress } from "../scenarios.ts";
import { Subject } from "../subject.ts";
import { type Front, router, tableServer } from "./fronts.ts";
import { helloOn } from "./router.ts";

export interface TelemetrySize {
  rounds: number;
  /** How many requests each measurement has. */
  requests: number;
}

const CONNECTIONS = 8;
/** Each is compared with the first one, which comes twice: the difference between the two is the noise. */
const BASE = "off";
const VARIANTS: Record<string, readonly string[]> = {
  [BASE]: [],
  "off again": [],
  "traces, 1 %": ["--otlp", "traces", "--trace-share", "0.01"],
  "traces, 1 %, and metrics": ["--otlp", "traces,metrics", "--trace-share", "0.01"],
  "traces, 100 %": ["--otlp", "traces", "--trace-share", "1"],
};

/** Measures the cost of traces and metrics: processor time per request of routers with and without them, in turns within one run. */
export async function telemetryScenarios({ rounds, requests }: TelemetrySize, progress: Progress): Promise<Scenario[]> {
  const berth = await Subject.start(1);
  const collector = createServer((req, res) => void req.resume().on("end", () => res.writeHead(200, { "content-type": "application/json" }).end("{}")));
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const endpoint = ["--otlp-endpoint", `http://127.0.0.1:${(collector.address() as AddressInfo).port}`];
  const fronts: Front[] = [];
  // Routers of one pool manager would forward everything to the one that owns the function's slots.
  const table = await tableServer([(await helloOn(berth)).hello]);
  try {
    for (const [name, args] of Object.entries(VARIANTS)) fronts.push(await router(name, table.url, args.length > 0 ? [...endpoint, ...args] : []));
    const costs = new Map<string, number[]>(fronts.map(({ name }) => [name, []]));
    let errors = 0;
    for (let round = -1; round < rounds; round++) {
      // Each round begins with another one, so that none always follows the same.
      for (let i = 0; i < fronts.length; i++) {
        const front = fronts[(round + 1 + i) % fronts.length] as Front;
        const cost = await measure(front, requests);
        errors += cost.errors;
        // The first round warms up.
        if (round >= 0) costs.get(front.name)?.push(cost.cpuUs);
      }
      if (round >= 0) progress("telemetry", round + 1, rounds);
    }
    return report(costs, requests, errors);
  } finally {
    for (const front of fronts) await front.stop();
    table.close();
    collector.closeAllConnections();
    collector.close();
    await berth.stop();
  }
}

/** Processor time per request, in microseconds. */
async function measure({ url, headers, cpuUs }: Front, requests: number): Promise<{ cpuUs: number; errors: number }> {
  const before = cpuUs();
  const result = await autocannon({ url, headers, connections: CONNECTIONS, amount: requests });
  return { cpuUs: (cpuUs() - before) / requests, errors: result.errors + result.non2xx };
}

function report(costs: ReadonlyMap<string, number[]>, requests: number, errors: number): Scenario[] {
  const base = costs.get(BASE) ?? [];
  const table = new Table({
    head: ["router", "CPU µs/req", "against off, pairs", "from", "to"],
    colAligns: ["left", "right", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  const scenarios = [...costs].map(([name, values]): Scenario => {
    const changes = values.map((value, round) => value / (base[round] as number) - 1);
    const cpuUsPerRequest = Math.round(median(values) * 10) / 10;
    const note = `${percent(median(changes))} against off (median of ${changes.length} pairs, ${percent(Math.min(...changes))} to ${percent(Math.max(...changes))})`;
    table.push([name, cpuUsPerRequest, percent(median(changes)), percent(Math.min(...changes)), percent(Math.max(...changes))]);
    return { name, n: values.length * requests, errors, cpuUsPerRequest, note };
  });
  process.stdout.write(`${table.toString()}\n${base.length} rounds of ${requests} requests, ${CONNECTIONS} connections\n`);
  return scenarios;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}

function percent(share: number): string {
  return `${share >= 0 ? "+" : ""}${(100 * share).toFixed(1)} %`;
}
