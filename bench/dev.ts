import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { latencies } from "./driver.ts";
import { type Scenario, scenarioOf } from "./report/scenario.ts";
import type { Progress } from "./scenarios.ts";
import { sleep, until } from "./wait.ts";

/** How long a save and a start may take, and how often an answer is asked for. */
const PATIENCE = { boundMs: 60_000, everyMs: 5 };
/** The pause after an answer: what the reload has left to do ends before the next save. */
const REST_MS = 700;

const REPORT = /reloaded \S+ in (\d+) ms \((\w+) (\d+), (\w+) (\d+), (\w+) (\d+), (\w+) (\d+)\)/g;

interface Kind {
  name: string;
  /** The file that is saved. */
  file: string;
  code(text: string): string;
  prepare?(dir: string): void;
}

const KINDS: readonly Kind[] = [
  { name: "node", file: "index.mjs", code: (text) => `export default { fetch: () => new Response("${text}") };\n` },
  {
    name: "typescript",
    file: "index.ts",
    code: (text) =>
      `import { Command } from "commander";\nconst text: string = new Command("${text}").name();\nexport default { fetch: () => new Response(text) };\n`,
    prepare(dir) {
      mkdirSync(join(dir, "node_modules"));
      symlinkSync(resolve("node_modules/commander"), join(dir, "node_modules/commander"));
    },
  },
  { name: "python", file: "main.py", code: (text) => `def lambda_handler(event, context):\n    return {"statusCode": 200, "body": "${text}"}\n` },
  {
    name: "custom",
    file: "server.mjs",
    code: (text) => `import { createServer } from "node:http";\ncreateServer((req, res) => res.end("${text}")).listen(process.env.PORT);\n`,
    prepare: (dir) => writeFileSync(join(dir, "berth.yaml"), `command: ["${process.execPath}", "server.mjs"]\n`),
  },
];

/** Measures `berth dev`: from a save to the first answer of the new code, and its phases as the command reports them. */
export async function devScenarios(saves: number, progress: Progress): Promise<Scenario[]> {
  const scenarios: Scenario[] = [];
  for (const kind of KINDS) scenarios.push(await saved(kind, saves, progress));
  return scenarios;
}

async function saved(kind: Kind, saves: number, progress: Progress): Promise<Scenario> {
  const dir = mkdtempSync(join(tmpdir(), "berth-bench-"));
  kind.prepare?.(dir);
  const save = (text: string) => writeFileSync(join(dir, kind.file), kind.code(text));
  save("v0");
  const child = spawn(process.execPath, ["dist/berth.js", "dev", dir, "--name", kind.name, "--port", "0"], {
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const times = latencies();
  try {
    const url = await urlOf(kind.name, () => output);
    for (let at = 1; at <= saves; at++) {
      const from = performance.now();
      save(`v${at}`);
      await until(async () => (await (await fetch(url)).text()) === `v${at}`, `${basename(dir)}: v${at} answers`, PATIENCE);
      times.recordValue(Math.round((performance.now() - from) * 1000));
      await sleep(REST_MS);
      progress(kind.name, at, saves);
    }
  } finally {
    await ended(child);
    rmSync(dir, { recursive: true, force: true });
  }
  return { ...scenarioOf(kind.name, saves, 0, times), note: phasesIn(output) };
}

async function urlOf(name: string, output: () => string): Promise<string> {
  const pattern = new RegExp(`http://127\\.0\\.0\\.1:\\d+/function/${name}$`, "m");
  await until(() => pattern.test(output()) && output().includes("watching for changes"), `${name} is served`, PATIENCE);
  return pattern.exec(output())?.[0] as string;
}

/** The medians of the phases. */
function phasesIn(output: string): string {
  const all = [...output.matchAll(REPORT)];
  const [first] = all;
  if (!first) return "no phases were reported";
  const median = (group: number) => all.map((match) => Number(match[group])).sort((a, b) => a - b)[all.length >> 1];
  return `p50 by phase: ${[2, 4, 6, 8].map((group) => `${first[group]} ${median(group + 1)}`).join(", ")} ms`;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGINT");
  await exit;
}
