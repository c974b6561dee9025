import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type * as fs from "node:fs/promises";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import * as yaml from "yaml";
import type { FunctionRecord } from "../../../../../pool-manager/functions/function.ts";
import { parseManifest } from "../../../../../pool-manager/functions/manifest/manifest.ts";
import { FunctionRegistry } from "../../../../../pool-manager/functions/registry.ts";
import { FunctionFiles } from "../../../../../pool-manager/stores/files/function-files.ts";

/** The object behind `import … from "node:fs/promises"`: imports show its changes after `syncBuiltinESMExports`. */
const files = createRequire(import.meta.url)("node:fs/promises") as typeof fs;

const FUNCTIONS = 40;

let dir: string;
let written: FunctionRecord[];
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const registry = new FunctionRegistry(
    new FunctionFiles(dir),
    async () => "image",
    () => {},
  );
  await registry.load();
  for (let i = 0; i < FUNCTIONS; i++) {
    await registry.deploy(`f${i}`, () => parseManifest({ env: { TEXT: `é\u2028"#: ${i}\n- ` } }, ["node"]), { layer: "layer", entry: "index.mjs" });
  }
  written = [...registry.list()];
});

async function loaded(): Promise<FunctionRecord[]> {
  const records = (await new FunctionFiles(dir).load()).map(({ record }) => record);
  return records.sort((a, b) => (a.name < b.name ? -1 : 1));
}

test("a file that Berth wrote is read without a parser of YAML", async () => {
  const parse = vi.spyOn(yaml.Parser.prototype, "parse");
  onTestFinished(() => parse.mockRestore());
  expect(await loaded()).toEqual(written);
  expect(parse).not.toHaveBeenCalled();
  yaml.parse("a: 1");
  expect(parse).toHaveBeenCalledOnce();
});

test("a file is valid YAML, and a file in YAML's own style is read and rewritten", async () => {
  const file = join(dir, "functions", "f7.yaml");
  expect(yaml.parse(readFileSync(file, "utf8"))).toEqual(written.find(({ name }) => name === "f7"));
  for (const name of readdirSync(join(dir, "functions"))) {
    const path = join(dir, "functions", name);
    writeFileSync(path, yaml.stringify(JSON.parse(readFileSync(path, "utf8"))));
  }
  expect(await loaded()).toEqual(written);
});

test("files are read some at a time: a start needs few descriptors, however many functions there are", async () => {
  const { readFile } = files;
  let open = 0;
  let most = 0;
  const spy = vi.spyOn(files, "readFile").mockImplementation((async (path: string) => {
    most = Math.max(most, ++open);
    return readFile(path).finally(() => (open -= 1));
  }) as typeof readFile);
  syncBuiltinESMExports();
  onTestFinished(() => {
    spy.mockRestore();
    syncBuiltinESMExports();
  });
  await loaded();
  expect(spy).toHaveBeenCalledTimes(FUNCTIONS);
  expect(most).toBeLessThanOrEqual(32);
});

test("a file that is nested more deeply than any record is set aside, JSON and YAML alike", async () => {
  const deep = Array.from({ length: 50_000 }).reduce<string>((inner) => `[${inner}]`, "1");
  mkdirSync(join(dir, "functions"), { recursive: true });
  for (const [name, text] of [
    ["f1", JSON.stringify(written.find(({ name }) => name === "f1")).replace(/^{/, `{"deep": ${deep}, `)],
    ["f2", `${yaml.stringify(written.find(({ name }) => name === "f2"))}deep: ${"[".repeat(40)}1${"]".repeat(40)}\n`],
  ] as const) {
    writeFileSync(join(dir, "functions", `${name}.yaml`), text);
  }
  const store = new FunctionFiles(dir);
  expect((await store.load()).length).toBe(FUNCTIONS - 2);
  const reason = "it is nested more than 32 times";
  expect(store.damaged.map((one) => ({ file: one.file, reason: one.reason }))).toEqual(
    ["f1", "f2"].map((name) => ({ file: `functions/${name}.yaml`, reason })),
  );
});
