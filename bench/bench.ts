import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { plot } from "./plot.ts";
import { machine, printScenarios, type Scenario } from "./report.ts";
import { burst, cold, type Progress, prewarmed, type Size, warm } from "./scenarios.ts";

/** `npm run bench -- [--quick] [--out FILE] [--scenario NAME …]` */
const FULL: Size = { prewarmed: 120, cold: 30, burstRounds: 3, seconds: 10 };
const QUICK: Size = { prewarmed: 20, cold: 5, burstRounds: 1, seconds: 3 };
const NAMES = ["prewarmed", "cold", "burst", "warm"];

const { values } = parseArgs({
  options: { quick: { type: "boolean", default: false }, out: { type: "string" }, scenario: { type: "string", multiple: true, default: NAMES } },
});
const unknown = values.scenario.find((name) => !NAMES.includes(name));
if (unknown) {
  process.stderr.write(`error SCENARIO_UNKNOWN: ${unknown}\n  fix: choose among ${NAMES.join(", ")} (warm includes throughput and direct)\n`);
  process.exit(2);
}
execFileSync(process.execPath, ["build.mjs"], { stdio: "inherit" });

const bar = process.stderr.isTTY ? new SingleBar({ format: "{scenario} {bar} {value}/{total}", clearOnComplete: true }) : null;
const progress: Progress = (scenario, done, total) => {
  if (bar && done === 1) bar.start(total, 0, { scenario });
  bar?.update(done, { scenario });
  if (bar && done === total) bar.stop();
};

const size = values.quick ? QUICK : FULL;
const scenarios: Scenario[] = [];
let memory: object | undefined;
if (values.scenario.includes("prewarmed")) scenarios.push(await prewarmed(size, progress));
if (values.scenario.includes("cold")) scenarios.push(await cold(size, progress));
if (values.scenario.includes("burst")) scenarios.push(await burst(size, progress));
if (values.scenario.includes("warm")) {
  const result = await warm(size, progress);
  scenarios.push(...result.scenarios);
  memory = result.memory;
}
printScenarios(scenarios);
if (memory) process.stdout.write(`private memory in MB: ${JSON.stringify(memory)}\n`);
const out = values.out ?? `bench/results/local-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.json`;
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, `${JSON.stringify({ machine: machine(), date: new Date().toISOString(), quick: values.quick, memory, scenarios }, null, 2)}\n`);
const picture = out.replace(/(\.json)?$/, ".svg");
writeFileSync(picture, await plot(scenarios));
process.stderr.write(`wrote ${out} and ${picture}\n`);
process.exitCode = scenarios.some((scenario) => scenario.errors > 0) ? 1 : 0;
