import { writeFileSync } from "node:fs";
import { type FileOps, realFiles } from "../../../pool-manager/async/atomic-file.ts";
import type { Manifest } from "../../../pool-manager/functions/manifest/manifest.ts";
import { FunctionRegistry } from "../../../pool-manager/functions/registry.ts";
import { manifestOf } from "../../../pool-manager/functions/revisions.ts";
import { Pools } from "../../../pool-manager/pool/pools.ts";
import { FunctionFiles } from "../../../pool-manager/stores/files/function-files.ts";
import { PoolFiles } from "../../../pool-manager/stores/files/pool-files.ts";

/**
 * `node store-script STATE_DIR N`: changes functions and pools, prints the state after each change, and is
 * killed at the Nth point: halfway through and after each write, and after each other step.
 */
const [stateDir = "", at = "0"] = process.argv.slice(2);
let point = 0;

function dieAt(): void {
  point += 1;
  if (point === Number(at)) process.kill(process.pid, "SIGKILL");
}

const dying: FileOps = {
  async writeSynced(path, data, mode) {
    writeFileSync(path, data.slice(0, data.length / 2), { mode });
    dieAt();
    await realFiles.writeSynced(path, data, mode);
    dieAt();
  },
  async rename(from, to) {
    await realFiles.rename(from, to);
    dieAt();
  },
  async remove(path) {
    await realFiles.remove(path);
    dieAt();
  },
  async syncDir(path) {
    await realFiles.syncDir(path);
    dieAt();
  },
};

const functions = new FunctionRegistry(
  new FunctionFiles(stateDir, dying),
  async (name, revision) => `image-${name}-${revision}`,
  () => {},
);
const pools = new Pools(new PoolFiles(stateDir, dying), () => {});
await functions.load();
await pools.load([{ name: "node", runtime: "node", size: 1, max: 2, budget: { actions: 1, windowMs: 1000 }, partition: 0, paused: false }]);

function acknowledge(): void {
  const shown = functions.list().map((record) => {
    const revision = record.revisions.find((candidate) => candidate.id === record.active);
    const own = Object.fromEntries((revision?.secretNames ?? []).map((name) => [name, (revision && functions.environment(record.uid, revision)[name]) ?? ""]));
    const { env, secrets } = manifestOf(record, own);
    return [record.name, record.active, record.revisions.length, record.scaling.maxScale, env, secrets];
  });
  process.stdout.write(`${JSON.stringify([shown.sort(), pools.get("node").size])}\n`);
}

const BASE: Manifest = {
  runtime: "node",
  handler: null,
  signature: null,
  image: null,
  command: null,
  health: null,
  env: {},
  secrets: {},
  timeoutMs: 1000,
  loadTimeoutMs: 1000,
  concurrency: 1,
  resources: {},
  minScale: 0,
  maxScale: 3,
  idleTimeoutMs: 1000,
  queueDepth: 1,
  queueTimeoutMs: 1000,
  windowScaling: null,
  rollout: null,
};

async function deploy(name: string, manifest: Partial<Manifest>): Promise<void> {
  await functions.deploy(name, () => ({ ...BASE, ...manifest }), { layer: "sha256:1", entry: "index.mjs" });
  acknowledge();
}

await deploy("a", { env: { V: "1" } });
await deploy("a", { env: { V: "2" }, secrets: { TOKEN: "one" } });
await deploy("b", { secrets: { KEY: "two" } });
await deploy("a", { env: { V: "3" }, secrets: { TOKEN: "three" }, maxScale: 7 });
await pools.set("node", { size: 2 });
acknowledge();
await functions.rollback("a");
acknowledge();
await functions.remove("b");
acknowledge();
