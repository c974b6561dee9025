import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BoundedCommands } from "./machine/bounded-commands.ts";
import { NEWEST, OLDEST, present, type Versions } from "./machine/install/versions.ts";

/** A cluster whose programs have to be built first takes a quarter of an hour. */
const UP_MS = 45 * 60_000;
const TESTS_MS = 20 * 60_000;
const DOWN_MS = 2 * 60_000;
/** Test files that use what differs between versions: pods, CloneSets, swaps in place, pre-downloads, releases. */
const TESTS = ["contract", "claims", "swap", "rollouts"].map((name) => `test/cluster/pods/${name}.test.ts`);

interface Row {
  versions: Versions;
  passed: number;
  failed: number;
  seconds: number;
  /** File with all that was printed. */
  log: string;
}

const commands = new BoundedCommands();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => commands.stop());

async function tryOut(versions: Versions, dir: string): Promise<Row> {
  const { kubernetes, kruise } = versions;
  const log = join(dir, `kubernetes-${kubernetes}-kruise-${kruise}.log`);
  process.stderr.write(`Kubernetes ${kubernetes} with OpenKruise ${kruise}: ${log}\n`);
  const began = Date.now();
  const isUp = await commands.run(["npm", "run", "cluster:up", "--", "--kubernetes", kubernetes, "--kruise", kruise], log, UP_MS);
  const isGood = isUp && (await commands.run(["npx", "vitest", "run", "-c", "test/cluster/vitest.config.ts", ...TESTS], log, TESTS_MS));
  const isDown = await commands.run(["npm", "run", "cluster:down"], log, DOWN_MS, "always");
  const [, passed = 0, failed = 0] = (/^(\d+) passed, (\d+) failed/m.exec(readFileSync(log, "utf8")) ?? []).map(Number);
  // A run that ended badly has failed, whatever it has counted.
  const atLeast = isGood && isDown ? 0 : 1;
  return { versions, passed, failed: Math.max(failed, atLeast), seconds: Math.round((Date.now() - began) / 1000), log };
}

async function tryAll(): Promise<Row[]> {
  const now = present();
  if (now) throw new Error(`there is a cluster, of Kubernetes ${now.kubernetes} and OpenKruise ${now.kruise}: npm run cluster:down ends it`);
  const dir = mkdtempSync(join(tmpdir(), "berth-matrix-"));
  const rows: Row[] = [];
  for (const versions of [OLDEST, NEWEST]) if (!commands.isStopped) rows.push(await tryOut(versions, dir));
  return rows;
}

function print(rows: Row[]): void {
  const total = (count: "passed" | "failed") => rows.reduce((sum, row) => sum + row[count], 0);
  const lines = rows.map(({ versions, passed, failed, seconds }) => `| ${versions.kubernetes} | ${versions.kruise} | ${passed} | ${failed} | ${seconds} |`);
  process.stdout.write(`${["| Kubernetes | OpenKruise | passed | failed | seconds |", "|-|-|-|-|-|", ...lines].join("\n")}\n`);
  process.stdout.write(`${total("passed")} passed, ${total("failed")} failed\n`);
  if (total("failed") > 0 || commands.isStopped) process.exitCode = 1;
}

try {
  print(await tryAll());
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
