import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { random } from "../../bench/driver.ts";
import { check } from "./checks/checker.ts";
import { History } from "./history.ts";
import { print, report } from "./report.ts";
import { Soak } from "./run.ts";

/**
 * `npm run soak -- --minutes N [--platform local|kruise] [--seed N] [--out FILE] [--history FILE]`: everything that may be done to Berth, at
 * random, and a checker that knows what may come of it. The seed decides what is done; when things happen decides the machine.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "3" },
    platform: { type: "string", default: "local" },
    seed: { type: "string" },
    out: { type: "string" },
    history: { type: "string" },
  },
});
const [minutes, seed] = [Number(values.minutes), Number(values.seed ?? randomInt(1, 1_000_000))];
const { platform } = values;
if (!(minutes > 0) || !Number.isInteger(seed) || (platform !== "local" && platform !== "kruise")) {
  process.stderr.write("usage: npm run soak -- [--minutes N] [--platform local|kruise] [--seed N] [--out FILE] [--history FILE]\n");
  process.exit(2);
}
execFileSync(process.execPath, ["build.mjs"], { stdio: "inherit" });

const directory = values.history ? null : mkdtempSync(join(tmpdir(), "berth-soak-history-"));
const file = values.history ?? join(directory ?? "", "history.jsonl");
const history = new History(file);
const began = Date.now();
const say = (line: string) => process.stdout.write(`${String(Math.round((Date.now() - began) / 1000)).padStart(5)} s  ${line}\n`);
say(`seed ${seed}, platform ${platform}, ${minutes} minutes; history: ${file}`);

const streams = { load: random(seed), changes: random(seed + 1_000_000), faults: random(seed + 2_000_000) };
const soak = new Soak({ history, random: streams, platform, say });
const failures: string[] = [];
const stop = () => soak.stop();
process.once("SIGINT", stop).once("SIGTERM", stop);
try {
  await soak.start();
  await soak.go(minutes * 60_000);
} catch (error) {
  failures.push(`the run failed: ${(error as Error).stack ?? error}`);
} finally {
  await soak.close().catch((error: Error) => failures.push(`the installation could not be ended: ${error.message}`));
  history.close();
}
const verdict = check(history.records);
verdict.violations.unshift(...failures, ...soak.counts.failures.map((failure) => `act ${failure}`));
const result = report({ platform, seed, minutes: (Date.now() - began) / 60_000, acts: soak.counts.counts }, history.records, verdict);
process.stdout.write(`${print(result)}\n`);
if (values.out) {
  mkdirSync(dirname(values.out), { recursive: true });
  writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`);
}
if (verdict.violations.length > 0) process.stdout.write(`the history is in ${file}; the same acts again: --seed ${seed}\n`);
else if (directory) rmSync(directory, { recursive: true, force: true });
process.exitCode = verdict.violations.length > 0 ? 1 : 0;
