import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ManageClient } from "../../cli/manage-client.ts";
import { packLayer } from "../../pool-manager/images/layer.ts";
import { until } from "../helpers/berth.ts";
import { type BerthProcess, berthProcess } from "../helpers/routers.ts";
import { closingLine, readReport, type Verdict, verdictOf } from "./verdict.ts";

/**
 * `test/api-fuzz/run.sh [--seed N] [--examples N] [--reports DIRECTORY]`: Schemathesis asks a Berth on processes of this machine what
 * its OpenAPI document allows and forbids; then Berth has to deploy, answer and end as before. What is asked: schemathesis.toml.
 */
const { values, positionals } = parseArgs({
  options: { seed: { type: "string", default: "1" }, examples: { type: "string", default: "20" }, reports: { type: "string" } },
  allowPositionals: true,
});
const [schemathesis = "schemathesis"] = positionals;

const READY = /^berth ready: invoke (\S+) manage (\S+)$/m;
const START_MS = 60_000;
const STOP_MS = 20_000;
/** Schemathesis' own bound has it ask until the time is up. */
const ASK_MS = 400_000;
/** Its first line is there before anybody follows its logs. */
const CODE = `console.log("loaded"); export default { fetch: () => new Response("hello") };`;
/** The functions that schemathesis.toml names. */
const NAMES = ["one", "two", "three"];

const directory = mkdtempSync(join(tmpdir(), "berth-api-fuzz-"));
const berth = await start();
process.once("exit", () => {
  berth.child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const [, invokeUrl = "", manageUrl = ""] = berth.line;
const api = new ManageClient(manageUrl);

const code = await api.upload(await packLayer([{ path: "index.mjs", data: new TextEncoder().encode(CODE) }]));
for (const name of NAMES) await prepare(name);
const verdict = await ask();
const failures = await afterwards().catch((error: Error) => [error.message]);
if (failures.length > 0) process.stdout.write(`\n${failures.join("\n")}\n${berth.said().slice(-4000)}\n`);
const { line, failed } = closingLine({ ...verdict, failures: verdict.failures + failures.length });
process.stdout.write(`\n${line}\n`);
process.exitCode = failed ? 1 : 0;
// After a fault it may still run, and this process would wait for it.
berth.child.kill("SIGKILL");

function start(): Promise<BerthProcess> {
  const args = ["up", "--no-example", "--router-port", "0", "--api-port", "0", "--state-dir", join(directory, "state"), "--pool-size", "1"];
  // Instances get nothing of this environment.
  process.env.NODE_OPTIONS = `--import=${new URL("small-machine.mjs", import.meta.url)}`;
  const started = berthProcess(args, READY, START_MS);
  delete process.env.NODE_OPTIONS;
  return started;
}

/** Two revisions, the second of which takes over step by step, and a line in the logs. */
async function prepare(name: string): Promise<void> {
  await api.call("PUT", `/v1/functions/${name}`, { code });
  await hello(name);
  await api.call("PUT", `/v1/functions/${name}`, { code, env: { SECOND: "1" }, rollout: { steps: ["50%"], interval: "1h" } });
}

async function ask(): Promise<Verdict> {
  const report = join(directory, "report.json");
  const config = join(import.meta.dirname, "schemathesis.toml");
  const run = ["run", `${manageUrl}/docs/json`, "--url", manageUrl, "--seed", values.seed, "--max-examples", values.examples, "--report-json-path", report];
  const more = values.reports === undefined ? [] : ["--report", "ndjson,junit", "--report-dir", values.reports];
  const hooks = { SCHEMATHESIS_HOOKS: join(import.meta.dirname, "hooks.py"), BERTH_FUZZ_CODE: code };
  const env = { ...process.env, ...hooks, PYTHONDONTWRITEBYTECODE: "1" };
  const child = spawn(schemathesis, ["--config-file", config, ...run, ...more], {
    cwd: directory,
    env,
    stdio: ["ignore", "inherit", "inherit"],
    timeout: ASK_MS,
  });
  process.once("exit", () => child.kill("SIGKILL"));
  await once(child, "exit");
  return verdictOf(readReport(report));
}

/** Checks Berth after the run. Returns the faults. */
async function afterwards(): Promise<string[]> {
  if (berth.child.exitCode !== null || berth.child.signalCode !== null) return ["berth has ended"];
  const { items } = await api.get<{ items: { name: string }[] }>("/v1/functions");
  for (const { name } of items) await api.call("DELETE", `/v1/functions/${name}`);
  await api.call("PUT", "/v1/pools/node", { size: 1, max: 3, paused: false, idleMemory: null });
  await api.call("PUT", "/v1/functions/hello", { code });
  await hello("hello");
  berth.child.kill("SIGTERM");
  await until(() => berth.child.exitCode !== null, "berth ends", STOP_MS);
  return berth.child.exitCode === 0 ? [] : [`berth ended with ${berth.child.exitCode}`];
}

async function hello(name: string): Promise<void> {
  const response = await fetch(`${invokeUrl}/function/${name}`);
  const text = await response.text();
  if (text !== "hello") throw new Error(`${name} answers ${response.status} ${text.slice(0, 500)}`);
}
