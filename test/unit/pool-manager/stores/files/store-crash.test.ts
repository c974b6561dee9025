import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { manifestOf } from "../../../../../pool-manager/functions/revisions.ts";
import { Pools } from "../../../../../pool-manager/pool/pools.ts";
import { FunctionFiles } from "../../../../../pool-manager/stores/files/function-files.ts";
import { PoolFiles } from "../../../../../pool-manager/stores/files/pool-files.ts";

/** The functions of a registry, without the fields that differ from run to run. */
async function read(stateDir: string): Promise<string> {
  const functions = (await new FunctionFiles(stateDir).load()).map(({ record, secrets }) => {
    // Every secret that a revision names is there.
    for (const revision of record.revisions) expect(Object.keys(secrets[revision.id] ?? {}).sort()).toEqual(revision.secretNames);
    const { env, secrets: own } = manifestOf(record, secrets[record.active] ?? {});
    return [record.name, record.active, record.revisions.length, record.scaling.maxScale, env, own];
  });
  const pools = new Pools(new PoolFiles(stateDir), () => {});
  await pools.load([{ name: "node", runtime: "node", size: 1, max: 2, budget: { actions: 1, windowMs: 1000 }, partition: 0, paused: false }]);
  return JSON.stringify([functions.sort(), pools.get("node").size]);
}

/** Runs the script until it kills itself at its `at`th write; resolves with the states that it acknowledged. */
function run(script: string, stateDir: string, at: number): Promise<{ acknowledged: string[]; killed: boolean }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, stateDir, String(at)], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (chunk) => (text += chunk));
    child.once("close", (_code, signal) => resolve({ acknowledged: text.trim().split("\n").filter(Boolean), killed: signal === "SIGKILL" }));
  });
}

test("after SIGKILL at any write, an acknowledged change is stored, and any other is stored completely or not at all", async () => {
  const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const script = join(dir, "script.mjs");
  const banner = { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' };
  await build({
    entryPoints: ["test/helpers/subjects/store-script.ts"],
    outfile: script,
    bundle: true,
    platform: "node",
    format: "esm",
    banner,
    logLevel: "error",
  });
  const whole = await run(script, join(dir, "whole"), 0);
  const states = [await read(join(dir, "empty")), ...whole.acknowledged];
  expect(whole.acknowledged.length).toBeGreaterThan(6);

  let writes = 0;
  for (let at = 1; ; at++) {
    const stateDir = join(dir, String(at));
    const { acknowledged, killed } = await run(script, stateDir, at);
    if (!killed) break;
    writes = at;
    const found = await read(stateDir);
    const last = acknowledged.length;
    expect([states[last], states[last + 1]]).toContain(found);
  }
  expect(writes).toBeGreaterThan(25);
}, 120_000);
