import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadFunction } from "../../../../../runtime-images/node/worker/load.ts";
import type { Signature } from "../../../../../runtime-images/protocol/messages.ts";

const dir = mkdtempSync(join(tmpdir(), "berth-load-"));
afterAll(() => rmSync(dir, { recursive: true }));

let files = 0;
function load(code: string, signature: Signature | null, handler: string | null = null) {
  const file = join(dir, `${++files}.cjs`);
  writeFileSync(file, code);
  const settings = { entry: "", handler, signature, concurrency: 1, timeoutMs: 1000 };
  return loadFunction({ file, functionName: "f", revision: "r1", settings, env: {} });
}

const OBJECT = "exports.fetch = () => new Response();";

test.each<[Signature, string, string | null]>([
  ["event", OBJECT, null],
  ["node", OBJECT, null],
  ["lambda", OBJECT, null],
  ["lambda-1.0", "exports.app = { fetch() {} };", "app"],
])("an export that cannot be called by the signature %s does not load", async (signature, code, handler) => {
  await expect(load(code, signature, handler)).rejects.toThrow(`signature "${signature}" requires a function`);
});

test.each<[Signature | null, string, string | null]>([
  ["fetch", OBJECT, null],
  ["fetch", "module.exports = () => new Response();", null],
  ["node", "module.exports = require('node:http').createServer();", null],
  ["node", "exports.app = require('node:http').createServer();", "app"],
  ["node", "exports.handler = (req, res) => res.end();", null],
  ["lambda", `${OBJECT} exports.handler = async () => {};`, null],
  ["event", "exports.hello = (data, context) => {};", "hello"],
  ["event", "exports.default = (data, context) => {};", null],
  [null, "module.exports = (req, res) => res.end();", null],
])("the signature %s takes %s (%s)", async (signature, code, handler) => {
  expect(typeof (await load(code, signature, handler)).invoke).toBe("function");
});

test("the error of a missing export names the existing ones, and how to choose one", async () => {
  await expect(load("exports.hello = (data, context) => {};", "event")).rejects.toThrow(
    /no handler was found \(the module exports .*\); name an export with --handler/,
  );
  await expect(load("exports.hello = 1;", null, "hello")).rejects.toThrow('no export "hello" was found');
});
