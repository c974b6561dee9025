import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type FileOps, realFiles } from "../../../../../pool-manager/async/atomic-file.ts";
import { parseManifest } from "../../../../../pool-manager/functions/manifest/manifest.ts";
import { FunctionRegistry } from "../../../../../pool-manager/functions/registry.ts";
import { FunctionFiles } from "../../../../../pool-manager/stores/files/function-files.ts";

/** Writes to disk, each with the directory that it was in. */
function counted(): { ops: FileOps; writes: string[] } {
  const writes: string[] = [];
  const noted =
    <T extends unknown[]>(what: string, write: (path: string, ...rest: T) => Promise<void>) =>
    (path: string, ...rest: T) => {
      writes.push(`${what} ${path.split("/").includes("secrets") ? "secrets" : "functions"}`);
      return write(path, ...rest);
    };
  const ops: FileOps = {
    writeSynced: noted("write", realFiles.writeSynced),
    rename: noted("rename", realFiles.rename),
    remove: noted("remove", realFiles.remove),
    syncDir: noted("sync", realFiles.syncDir),
  };
  return { ops, writes };
}

async function registryIn(dir: string, ops: FileOps): Promise<FunctionRegistry> {
  const registry = new FunctionRegistry(
    new FunctionFiles(dir, ops),
    async () => "image",
    () => {},
  );
  await registry.load();
  return registry;
}

const ref = { layer: "layer", entry: "index.mjs" };
const REPLACED = ["write", "rename", "sync"];
const inFunctions = REPLACED.map((what) => `${what} functions`);
const inSecrets = REPLACED.map((what) => `${what} secrets`);

test("a deployment without secrets writes one file and syncs one directory", async () => {
  const { ops, writes } = counted();
  const functions = await registryIn(mkdtempSync(join(tmpdir(), "berth-test-")), ops);
  await functions.deploy("f", () => parseManifest({}, ["node"]), ref);
  expect(writes.splice(0)).toEqual(inFunctions);
  await functions.remove("f");
  expect(writes).toEqual(["remove functions", "sync functions"]);
});

test("the secrets of a function are removed after its record, also those from before a restart", async () => {
  const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const before = await registryIn(dir, realFiles);
  for (const name of ["f", "g"]) await before.deploy(name, () => parseManifest({ secrets: { TOKEN: "hunter2" } }, ["node"]), ref);
  expect(readdirSync(join(dir, "secrets")).length).toBe(2);

  const { ops, writes } = counted();
  const functions = await registryIn(dir, ops);
  const { uid } = await functions.remove("f");
  expect(writes.splice(0)).toEqual(["remove functions", "sync functions", "remove secrets", "sync secrets"]);
  expect(existsSync(join(dir, "secrets", `${uid}.json`))).toBe(false);
  await functions.deploy("g", () => parseManifest({ secrets: { TOKEN: "again" } }, ["node"]), ref);
  expect(writes).toEqual([...inSecrets, ...inFunctions]);
});
