import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { routerConfig } from "../../../cli/options/router-options.ts";
import { newKey } from "../../../pool-manager/client/api-keys.ts";
import { TestBerth, until } from "../../helpers/berth.ts";

const SECRET = "postgres://admin:hunter2@db";
const HANDLER = `export default (req, res) => {
  if (req.url === "/throws") throw new Error("${SECRET}");
  if (req.url === "/timer") return void setTimeout(() => { throw new Error("${SECRET}"); });
  if (req.url === "/exits") { console.error("${SECRET}"); process.exit(3); }
  if (req.url === "/own") return res.writeHead(500, { "content-type": "text/plain" }).end("the function's own words");
  res.end("ok");
};`;

const berths: Record<string, TestBerth> = {};
beforeAll(async () => {
  for (const exposeErrors of [true, false]) {
    const berth = await TestBerth.start({ poolSize: 2, exposeErrors });
    berths[String(exposeErrors)] = berth;
    await berth.deploy("fails", HANDLER);
    await berth.deploy("broken", `throw new Error("${SECRET}")`);
  }
});
afterAll(() => Promise.all(Object.values(berths).map((berth) => berth.close())));

const asked = async (berth: TestBerth | undefined, name: string, path: string) => {
  const response = await (berth as TestBerth).invoke(name, {}, path);
  return { status: response.status, header: response.headers.get("x-berth-error"), callId: response.headers.get("x-call-id"), text: await response.text() };
};

const FAILURES = [
  ["fails", "/throws", 500, "FUNCTION_ERROR"],
  ["fails", "/timer", 502, "FUNCTION_CRASHED"],
  ["broken", "/", 502, "FUNCTION_LOAD_FAILED"],
] as const;

test.each(FAILURES)("%s%s is a code and a sentence for strangers, and its words are in the logs", async (name, path, status, code) => {
  const { text, ...answer } = await asked(berths.false, name, path);
  expect(answer).toEqual({ status, header: code, callId: expect.any(String) });
  const { error } = JSON.parse(text);
  expect(error).toEqual({ code, message: expect.stringMatching(/^(the|no) /), fix: expect.any(String) });
  expect(text).not.toMatch(/hunter2|\bat |index\.mjs/);
  if (name === "broken") return;
  await until(async () => JSON.stringify(await berths.false?.api.get(`/v1/functions/${name}/logs`)).includes(SECRET), "the logs have its words");
});

test.each(FAILURES)("%s%s tells its words where errors are exposed", async (name, path, status, code) => {
  const { text, ...answer } = await asked(berths.true, name, path);
  expect([answer.status, answer.header]).toEqual([status, code]);
  expect(text).toContain("hunter2");
});

test("a process that ends tells nobody but its logs what it has written, and a function's own answers are its own", async () => {
  const ended = await asked(berths.false, "fails", "/exits");
  expect([ended.status, ended.header, ended.text.includes("hunter2")]).toEqual([502, "FUNCTION_CRASHED", false]);
  expect(await asked(berths.false, "fails", "/own")).toMatchObject({ status: 500, header: null, text: "the function's own words" });
  expect((await asked(berths.false, "fails", "/ok")).text).toBe("ok");
});

test("an error whose words are kept back frees its place", async () => {
  await berths.false?.deploy("single", HANDLER, { concurrency: 1, maxScale: 1 });
  for (let i = 0; i < 5; i++) expect((await asked(berths.false, "single", "/throws")).header).toBe("FUNCTION_ERROR");
  expect((await asked(berths.false, "single", "/ok")).text).toBe("ok");
});

test("errors are exposed by default where only this machine can connect", () => {
  const apiKeys = join(mkdtempSync(join(tmpdir(), "berth-test-")), "keys");
  writeFileSync(apiKeys, newKey("all", ["invoke"]).line);
  const options = { routerPort: 0, maxBody: 1, apiKeys };
  const exposes = (host: string, exposeErrors?: boolean) =>
    routerConfig({ ...options, host, ...(exposeErrors !== undefined && { exposeErrors }) }, null, 0, 0).exposeErrors;
  expect(["127.0.0.1", "localhost", "::1", "0.0.0.0", "10.0.0.1", "::"].map((host) => exposes(host))).toEqual([true, true, true, false, false, false]);
  expect([exposes("127.0.0.1", false), exposes("0.0.0.0", true)]).toEqual([false, true]);
});
