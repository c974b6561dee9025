import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import type { ClusterSize } from "./cluster/cluster.ts";
import type { CrowdsSize } from "./crowds/crowds.ts";
import { LANGUAGES } from "./languages.ts";
import { progressBar } from "./progress.ts";
import { html } from "./report/html.ts";
import { machine, stolen } from "./report/machine.ts";
import { quantiles } from "./report/plot.ts";
import { writeReport, writeResult } from "./report/result.ts";
import type { Scenario } from "./report/scenario.ts";
import { printScenarios } from "./report/table.ts";
import type { RouterSize } from "./router/router.ts";
import type { TelemetrySize } from "./router/telemetry.ts";
import { burst, cold, type Language, type Memory, prewarmed, type Size, warm } from "./scenarios.ts";
import type { SignaturesSize } from "./signatures.ts";

if (process.argv[2] === "replay") {
  const { replayCommand } = await import("./replay/command.ts");
  process.exit(await replayCommand(process.argv.slice(3)));
}

const FULL: Size = { prewarmed: 120, cold: 30, burstRounds: 3, seconds: 10 };
const QUICK: Size = { prewarmed: 20, cold: 5, burstRounds: 1, seconds: 3 };
const CLUSTER_FULL: ClusterSize = { eager: 120, paced: 24, alone: 24, cold: 12, rollouts: 10, burstRounds: 2, warmSeconds: 10, rounds: 4 };
const CLUSTER_QUICK: ClusterSize = { eager: 6, paced: 4, alone: 3, cold: 2, rollouts: 3, burstRounds: 1, warmSeconds: 2, rounds: 1 };
/** Benchmarks whose results are latencies, which are plotted; others measure ratios, memory and counts. */
const PLOTTED = [undefined, "router"];
const NAMES = ["prewarmed", "cold", "burst", "warm"];
const CLUSTER_NAMES = ["starts", "burst"];

const ROUTER_FULL: RouterSize = { rounds: 5, seconds: 3, shots: 3000 };
const ROUTER_QUICK: RouterSize = { rounds: 2, seconds: 1, shots: 300 };
const TELEMETRY_FULL: TelemetrySize = { rounds: 12, requests: 10_000 };
const TELEMETRY_QUICK: TelemetrySize = { rounds: 6, requests: 5000 };
const SIGNATURES_FULL: SignaturesSize = { rounds: 3, seconds: 3, warming: 5000 };
const SIGNATURES_QUICK: SignaturesSize = { rounds: 2, seconds: 1, warming: 500 };
const CROWDS_FULL: CrowdsSize = { functions: 10_000, cold: 1000, seconds: 20 };
const CROWDS_QUICK: CrowdsSize = { functions: 500, cold: 100, seconds: 5 };
/** Saves of each kind of function. */
const DEV_FULL = 40;
const DEV_QUICK = 20;

const USAGE =
  "usage: npm run bench -- [dev|router|telemetry|fairness|signatures|crowds|memory|replay] [--platform local|kruise] [--runtime node|python …] [--quick] [--out FILE] [--html FILE] [--scenario NAME …]\n";
const { values, positionals } = parsed({
  allowPositionals: true,
  options: {
    platform: { type: "string", default: "local" },
    quick: { type: "boolean", default: false },
    out: { type: "string" },
    html: { type: "string" },
    scenario: { type: "string", multiple: true },
    runtime: { type: "string", multiple: true, default: ["node"] },
    help: { type: "boolean", short: "h", default: false },
  },
} as const);
if (values.help) {
  process.stdout.write(USAGE);
  process.exit();
}
const names = values.platform === "kruise" ? CLUSTER_NAMES : NAMES;
const chosen = values.scenario ?? names;
const unknown = chosen.find((name) => !names.includes(name));
if (unknown) {
  process.stderr.write(`error SCENARIO_UNKNOWN: ${unknown}\n  fix: choose among ${names.join(", ")} (warm includes throughput and direct)\n`);
  process.exit(2);
}
const languages = values.runtime.map((name) => LANGUAGES[name]);
if (languages.includes(undefined)) {
  process.stderr.write(`error RUNTIME_UNAVAILABLE: ${values.runtime.join(", ")}\n  fix: choose among ${Object.keys(LANGUAGES).join(", ")}\n`);
  process.exit(2);
}
execFileSync(process.execPath, ["build.mjs"], { stdio: "inherit" });

const progress = progressBar();
const size = values.quick ? QUICK : FULL;
const scenarios: Scenario[] = [];
stolen();
let memory: Memory | undefined;
if (positionals[0] === "router") {
  const { routerScenarios } = await import("./router/router.ts");
  scenarios.push(...(await routerScenarios(values.quick ? ROUTER_QUICK : ROUTER_FULL, progress)));
} else if (positionals[0] === "telemetry") {
  const { telemetryScenarios } = await import("./router/telemetry.ts");
  scenarios.push(...(await telemetryScenarios(values.quick ? TELEMETRY_QUICK : TELEMETRY_FULL, progress)));
} else if (positionals[0] === "fairness") {
  const { fairness } = await import("./fairness.ts");
  scenarios.push(...(await fairness({ rounds: values.quick ? 1 : 10 }, progress)));
} else if (positionals[0] === "signatures") {
  const { signatures } = await import("./signatures.ts");
  scenarios.push(...(await signatures(values.quick ? SIGNATURES_QUICK : SIGNATURES_FULL, progress)));
} else if (positionals[0] === "crowds") {
  const { crowds } = await import("./crowds/crowds.ts");
  scenarios.push(...(await crowds(values.quick ? CROWDS_QUICK : CROWDS_FULL, progress)));
} else if (positionals[0] === "dev") {
  const { devScenarios } = await import("./dev.ts");
  scenarios.push(...(await devScenarios(values.quick ? DEV_QUICK : DEV_FULL, progress)));
} else if (positionals[0] === "memory") {
  const { memoryGrowth } = await import("./memory.ts");
  scenarios.push(...(await memoryGrowth(values.quick ? 20_000 : 1_000_000, progress)));
} else if (values.platform === "kruise") {
  const clusterSize = values.quick ? CLUSTER_QUICK : CLUSTER_FULL;
  const { clusterBursts, clusterScenarios } = await import("./cluster/cluster.ts");
  if (chosen.includes("starts")) scenarios.push(...(await clusterScenarios(clusterSize, progress)));
  if (chosen.includes("burst")) scenarios.push(...(await clusterBursts(clusterSize, progress)));
} else {
  memory = await localScenarios();
}
if (!["router", "telemetry", "signatures"].includes(positionals[0] ?? "")) printScenarios(scenarios);
const share = stolen();
process.stdout.write(`processor time that the hypervisor took away: ${(100 * share).toFixed(1)} %\n`);
if (memory) process.stdout.write(`private memory in MB: ${JSON.stringify(memory)}\n`);
const out = values.out ?? `bench/results/local-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.json`;
const result = {
  machine: { ...machine(), stolen: share },
  date: new Date().toISOString(),
  platform: String(values.platform),
  quick: values.quick === true,
  memory,
  scenarios,
};
writeResult(out, result);
const written = [out];
const picture = PLOTTED.includes(positionals[0]) ? await quantiles(scenarios) : null;
if (picture !== null) {
  written.push(out.replace(/(\.json)?$/, ".svg"));
  writeReport(written[1] as string, picture);
}
if (values.html) {
  written.push(values.html);
  writeReport(values.html, await html(`Benchmark${positionals[0] ? ` ${positionals[0]}` : ""}`, result));
}
for (const file of written) process.stderr.write(`wrote ${file}\n`);
process.exitCode = scenarios.some((scenario) => scenario.errors > 0) ? 1 : 0;

/** Runs the scenarios on this machine without a cluster; returns the memory that they measured. */
async function localScenarios(): Promise<Memory | undefined> {
  for (const language of languages as Language[]) {
    if (chosen.includes("prewarmed")) scenarios.push(await prewarmed(size, language, progress));
    if (chosen.includes("cold")) scenarios.push(await cold(size, language, progress));
  }
  // The other scenarios run with Node alone: they measure the pool manager and the router, not the language.
  if (!values.runtime.includes("node")) return undefined;
  if (chosen.includes("burst")) scenarios.push(await burst(size, progress));
  if (!chosen.includes("warm")) return undefined;
  const result = await warm(size, progress);
  scenarios.push(...result.scenarios);
  return result.memory;
}

/** Parses the arguments; one that does not exist ends the program with the usage. */
function parsed<T extends Parameters<typeof parseArgs>[0]>(config: T): ReturnType<typeof parseArgs<NonNullable<T>>> {
  try {
    return parseArgs(config as NonNullable<T>);
  } catch (error) {
    process.stderr.write(`error USAGE: ${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}
