import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NEWEST, OLDEST, type Versions } from "./versions.ts";

/** A cluster whose programs have to be built first takes a quarter of an hour. Milliseconds. */
const UP_MS = 45 * 60_000;
const TESTS_MS = 20 * 60_000;
const DOWN_MS = 2 * 60_000;
/** What goes through what differs between versions: pods, CloneSets, swaps in place, pulls ahead, releases. */
const TESTS = ["contract", "claims", "swap", "rollouts"].map((name) => `test/cluster/${name}.test.ts`);

interface Row {
  versions: Versions;
  passed: number;
  failed: number;
  seconds: number;
  /** File with all that was printed. */
  log: string;
}

const dir = mkdtempSync(join(tmpdir(), "berth-matrix-"));

function run(command: string, args: string[], log: string, timeout: number): boolean {
  const file = openSync(log, "a");
  const { status } = spawnSync(command, args, { stdio: ["ignore", file, file], timeout, killSignal: "SIGKILL" });
  closeSync(file);
  return status === 0;
}

function tryOut(versions: Versions): Row {
  const { kubernetes, kruise } = versions;
  const log = join(dir, `kubernetes-${kubernetes}-kruise-${kruise}.log`);
  process.stderr.write(`Kubernetes ${kubernetes} with OpenKruise ${kruise}: ${log}\n`);
  const began = Date.now();
  const isUp = run("npm", ["run", "cluster:up", "--", "--kubernetes", kubernetes, "--kruise", kruise], log, UP_MS);
  if (isUp) run("npx", ["vitest", "run", "-c", "test/cluster/vitest.config.ts", ...TESTS], log, TESTS_MS);
  run("npm", ["run", "cluster:down"], log, DOWN_MS);
  const [, passed = "0", failed = "1"] = /^(\d+) passed, (\d+) failed/m.exec(readFileSync(log, "utf8")) ?? [];
  return { versions, passed: Number(passed), failed: Number(failed), seconds: Math.round((Date.now() - began) / 1000), log };
}

const rows = [OLDEST, NEWEST].map(tryOut);
process.stdout.write("| Kubernetes | OpenKruise | passed | failed | seconds |\n|-|-|-|-|-|\n");
for (const { versions, passed, failed, seconds } of rows) {
  process.stdout.write(`| ${versions.kubernetes} | ${versions.kruise} | ${passed} | ${failed} | ${seconds} |\n`);
}
const total = (count: "passed" | "failed") => rows.reduce((sum, row) => sum + row[count], 0);
process.stdout.write(`${total("passed")} passed, ${total("failed")} failed\n`);
if (total("failed") > 0) process.exitCode = 1;
