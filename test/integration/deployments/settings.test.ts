import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ECHO, TestBerth, until } from "../../helpers/berth.ts";
import { runCommand } from "../../helpers/command.ts";

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 1 });
});
afterAll(() => berth.close());

const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
afterAll(() => rmSync(dir, { recursive: true }));

const run = (...args: string[]) => runCommand(args, { BERTH_URL: berth.berth.manageUrl });

const patch = (name: string, body: object) => berth.api.call("PATCH", `/v1/functions/${name}`, body);
const refused = (method: string, path: string, body?: object) =>
  berth.api.call(method, path, body).then(
    () => "accepted",
    (error: Error & { code: string }) => `${error.code} ${error.message}`,
  );
const seenBy = async (name: string) => ((await (await berth.invoke(name)).json()) as { env: Record<string, string> }).env;

/** A directory with the echo function, and its berth.yaml. */
function source(name: string, manifest?: string): string {
  const path = join(dir, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "index.mjs"), ECHO);
  if (manifest !== undefined) writeFileSync(join(path, "berth.yaml"), manifest);
  return path;
}

describe("the API", () => {
  test("names the pool of a function, and the size class of a pool, of which one machine has none", async () => {
    await berth.deploy("pooled", ECHO, { memory: "128Mi" });
    expect(await berth.api.get("/v1/functions/pooled")).toMatchObject({ pool: "node", memory: "128Mi", problems: [] });
    expect(await berth.api.get("/v1/pools/node")).toMatchObject({ runtime: "node", sizeClass: null });
    expect(await refused("GET", "/v1/pools/node-1gi")).toMatch(/^POOL_NOT_FOUND /);
  });

  test("merges variables and secrets, and takes away by null, down to the function", async () => {
    await berth.deploy("merging", ECHO, { env: { A: "1", B: "2" }, secrets: { S: "x", T: "y" } });
    await patch("merging", { env: { B: null, C: "3" } });
    expect(await seenBy("merging")).toEqual({ A: "1", C: "3", S: "x", T: "y" });
    await patch("merging", { secrets: { S: null, U: "z" }, timeout: "3s" });
    expect(await seenBy("merging")).toEqual({ A: "1", C: "3", T: "y", U: "z" });
    expect(await patch("merging", { env: null, timeout: null })).toMatchObject({ env: {}, timeout: "30s", secrets: ["T", "U"] });
    // PUT says the whole of it.
    await berth.deploy("merging", ECHO, { env: { D: "4" } });
    expect(await seenBy("merging")).toEqual({ D: "4" });
  });

  test("checks a change beside what is in force, not beside defaults", async () => {
    await berth.deploy("scaled", ECHO, { maxScale: 50 });
    expect(await patch("scaled", { minScale: 0, maxScale: 40 })).toMatchObject({ maxScale: 40 });
    expect(await refused("PATCH", "/v1/functions/scaled", { minScale: 41 })).toBe("MANIFEST_INVALID minScale: 41 is above maxScale 40");
    expect(await refused("PATCH", "/v1/functions/scaled", { maxScale: 1000, queueDepth: 5, minScale: null })).toBe("accepted");
  });

  test.each<[string, string, object, string]>([
    ["PATCH", "/v1/pools/node", { sise: 1 }, "BODY_INVALID sise: unknown field sise; did you mean size?"],
    ["PATCH", "/v1/pools/node", { size: null }, "BODY_INVALID size: must be an integer from 0 to 5000 or auto, and is null"],
    ["PATCH", "/v1/pools/node", { size: "2" }, 'BODY_INVALID size: must be an integer from 0 to 5000 or auto, and is the string "2"'],
    ["PATCH", "/v1/pools/node", { paused: 1 }, "BODY_INVALID paused: must be true or false (a boolean), and is the number 1"],
    ["PATCH", "/v1/pools/node", { max: 5001 }, "BODY_INVALID max: must be an integer from 1 to 5000, and is the number 5001"],
    ["PATCH", "/v1/pools/node", { budget: { actions: 1 } }, "BODY_INVALID budget: windowMs is missing"],
    ["POST", "/v1/functions/hello/rollback", { revison: "r1" }, "BODY_INVALID revison: unknown field revison; did you mean revision?"],
    ["POST", "/v1/functions/hello/rollback", { revision: 1 }, "BODY_INVALID revision: must be a string, and is the number 1"],
    ["PUT", "/v1/functions/hello/traffic", { alias: {} }, "TRAFFIC_INVALID alias: unknown field alias; did you mean aliases?"],
    ["PATCH", "/v1/functions/hello", { env: { A: 5 } }, "MANIFEST_INVALID env.A: must be a string, and is the number 5"],
    ["PATCH", "/v1/functions/hello", { env: { NODE_PATH: "x" } }, "MANIFEST_INVALID env.NODE_PATH: is read only when a process starts"],
  ])("%s %s refuses %j", async (method, path, body, message) => {
    await berth.deploy("hello", ECHO);
    expect(await refused(method, path, body)).toContain(message);
  });

  test.each([
    ["folow=true", "PARAMETER_INVALID folow: unknown parameter folow; did you mean follow?"],
    ["tail=1001", "PARAMETER_INVALID tail: must be an integer from 0 to 1000, and is the number 1001"],
    ["tail=many", 'PARAMETER_INVALID tail: must be an integer from 0 to 1000, and is the string "many"'],
    [
      "since=yesterday",
      'PARAMETER_INVALID since: must be a duration such as "10m" (ms, s, m or h), or a time such as "2026-01-31T12:00:00Z", and is the string "yesterday"',
    ],
    ["since=10d", 'and is the string "10d"'],
    ["since=2026-02-31", 'PARAMETER_INVALID since: must be a day that there is, and is "2026-02-31"'],
    [`call=${"x".repeat(201)}`, "PARAMETER_INVALID call: must have at most 200 characters, and has 201"],
    ["since=1h&since=2h", "PARAMETER_INVALID since: must be a duration"],
    ["since=2026-13-01", 'and is the string "2026-13-01"'],
    ["since=2026-01-01T25:00Z", 'and is the string "2026-01-01T25:00Z"'],
  ])("logs refuse ?%s", async (query, message) => {
    await berth.deploy("hello", ECHO);
    expect(await refused("GET", `/v1/functions/hello/logs?${query}`)).toContain(message);
  });

  test("logs since a time, and none for a tail of 0", async () => {
    await berth.deploy("talks", "let n = 0; export default { fetch() { console.log('line', ++n); return new Response('ok'); } };");
    const lines = async (query: string) =>
      (await berth.api.get<{ items: { message: string; time: string }[] }>(`/v1/functions/talks/logs?${query}`)).items.map(({ message, time }) => ({
        message,
        time,
      }));
    await berth.invoke("talks");
    await until(async () => (await lines("")).length === 1, "the first line");
    await new Promise((resolve) => setTimeout(resolve, 20));
    const between = new Date().toISOString();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await berth.invoke("talks");
    await until(async () => (await lines("")).length === 2, "the second line");
    expect((await lines(`since=${between}`)).map(({ message }) => message)).toEqual(["line 2"]);
    expect([(await lines("since=10m")).length, (await lines("since=0s")).length, (await lines("tail=0")).length]).toEqual([2, 0, 0]);
    expect((await run("logs", "talks", "--since", between)).stdout).toMatch(/^.*line 2\n$/);
    const wrong = await run("logs", "talks", "--tail", "1001");
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("not an integer between 0 and 1000")]);
  });
});

describe("berth deploy", () => {
  test("keeps variables and secrets, replaces, takes away and says so", async () => {
    const from = source("kept");
    expect((await run("deploy", "kept", "--from", from, "-e", "A=1", "-e", "B=x=y", "--secret", "S=s", "--unset", "NEVER")).code).toBe(0);
    await run("deploy", "kept", "-e", "B=2", "--secret", "T=t");
    expect(await seenBy("kept")).toEqual({ A: "1", B: "2", S: "s", T: "t" });
    const unset = await run("deploy", "kept", "--unset", "A", "--unset", "S", "--unset", "Z");
    expect(await seenBy("kept")).toEqual({ B: "2", T: "t" });
    for (const line of ["the variable A is removed", "the secret S is removed", "Z was not set"]) expect(unset.stderr).toContain(line);
    const clash = await run("deploy", "kept", "-e", "T=open");
    expect([clash.code, clash.stderr]).toEqual([5, expect.stringContaining("--unset T")]);
    await run("deploy", "kept", "--unset", "T", "-e", "T=open");
    expect(await berth.api.get("/v1/functions/kept")).toMatchObject({ env: { B: "2", T: "open" }, secrets: [] });
  });

  test("takes variables of dotenv files, which options precede", async () => {
    const from = source("dotenv");
    const file = join(dir, "first.env");
    writeFileSync(file, "\ufeff# comment\r\nexport A=1\r\nB=\"two\nlines\"\nC='x # y'\nEMPTY=\n\n");
    const second = join(dir, "second.env");
    writeFileSync(second, "A=2\nD=4");
    expect(await run("deploy", "dotenv", "--from", from, "-e", "D=5", "--env-file", file, "--env-file", second)).toMatchObject({ code: 0 });
    expect(await seenBy("dotenv")).toEqual({ A: "2", B: "two\nlines", C: "x # y", EMPTY: "", D: "5" });
    for (const [text, wrong] of [
      ["A=1\nJUST_A_NAME", "JUST_A_NAME"],
      ["MY-VAR=1", "MY-VAR"],
      ["1A=1", "1A"],
    ] as const) {
      writeFileSync(file, text);
      const ended = await run("deploy", "dotenv", "--env-file", file);
      expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining(`"${wrong}" is not NAME=VALUE`)]);
    }
    expect(await run("deploy", "dotenv", "--env-file", join(dir, "none"))).toMatchObject({ code: 2, stderr: expect.stringContaining("ENV_FILE_INVALID") });
  });

  test("takes env of a berth.yaml for the whole, says what goes, and adds secrets and options to it", async () => {
    const from = source("declared", "env:\n  MODE: file\nsecrets:\n  F: f\n");
    await run("deploy", "declared", "--from", from, "-e", "A=1", "--secret", "S=s");
    expect(await seenBy("declared")).toEqual({ MODE: "file", A: "1", F: "f", S: "s" });
    const again = await run("deploy", "declared", "--from", from, "-e", "B=2");
    expect(again.stderr).toContain("declared: the variable A is removed: the manifest declares env without it");
    expect(await seenBy("declared")).toEqual({ MODE: "file", B: "2", F: "f", S: "s" });
    source("declared", "timeout: 9s\n");
    await run("deploy", "declared", "--from", from);
    expect(await berth.api.get("/v1/functions/declared")).toMatchObject({ timeout: "9s", env: { MODE: "file", B: "2" }, secrets: ["F", "S"] });
  });

  test.each([
    ["timout: 5s", 5, "unknown field timout; did you mean timeout?"],
    ["timeout: 1d", 5, "use ms, s, m or h"],
    ["env:\n  PORT: 8080", 5, "env.PORT: must be a string, and is the number 8080"],
    ["env:\n  EMPTY:", 2, 'env.EMPTY: has no value: write "" for an empty one'],
    ["env: [A=1]", 2, "env: must be an object"],
    ["- a\n- b", 2, "a manifest is a mapping of fields"],
  ])("tells what is wrong with %j", async (manifest, code, message) => {
    const ended = await run("deploy", "wrong", "--from", source("wrong", manifest));
    expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining(message)]);
  });

  test("says which revision is active then, and what else has changed", async () => {
    const from = source("outcome");
    const deploy = async (...args: string[]) => (await run("deploy", "outcome", ...args)).stderr;
    expect(await deploy("--from", from, "-e", "V=A")).toContain("deployed outcome as r1");
    expect(await deploy("-e", "V=B")).toContain("deployed outcome as r2");
    expect(await deploy("-e", "V=A")).toContain("outcome went back to r1");
    expect(await deploy("-e", "V=A")).toContain("outcome is unchanged: r1");
    expect(await deploy("--max", "7")).toContain("outcome stays at r1; changed: maxScale");
    expect(await deploy("-e", "V=B", "--canary", "20")).toContain("r2 gets 20 percent of the invocations of outcome beside r1");
    expect((await run("rollback", "outcome")).stderr).toContain("outcome is at r2");
    // Invalid settings are refused, whether anything changes or not.
    for (const percent of ["200", "101", "-1", "", "many"]) {
      const refused = await run("deploy", "outcome", `--canary=${percent}`);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/--canary.* is not an integer between 0 and 100/)]);
    }
  });

  test("names the option that was meant", async () => {
    const ended = await run("deploy", "x", "--timout", "5s");
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining("--timeout")]);
  });
});

test("berth invoke reaches a revision and an alias, and hears that a body is too large", async () => {
  await berth.deploy("named", ECHO, { env: { V: "1" } });
  await berth.deploy("named", ECHO, { env: { V: "2" } });
  await berth.api.call("PUT", "/v1/functions/named/traffic", { aliases: { old: "r1" } });
  for (const [name, version] of [
    ["named", "2"],
    ["named@old", "1"],
    ["named@r1", "1"],
  ] as const)
    expect(JSON.parse((await run("invoke", name)).stdout)).toMatchObject({ env: { V: version } });
  expect((await fetch(`${berth.berth.invokeUrl}/function/%6eamed%40old`)).status).toBe(200);
  expect(await run("invoke", "named@none")).toMatchObject({ code: 3, stderr: expect.stringContaining("error REVISION_NOT_SERVED") });
  const large = join(dir, "large");
  writeFileSync(large, Buffer.alloc(40 * 1024 * 1024));
  expect(await run("invoke", "named", "-d", `@${large}`)).toMatchObject({ code: 5, stderr: expect.stringContaining("error BODY_TOO_LARGE") });
});

test("berth logs --follow and a command that waits tell when berth ends", async () => {
  const server = createServer((req, res) => {
    if (req.url?.startsWith("/v1/functions/cut/")) res.writeHead(200, { "content-type": "text/event-stream" }).write(": alive\n\n", () => res.destroy());
    else res.writeHead(200, { "content-type": "text/event-stream" }).end(": alive\n\n");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const name of ["cut", "ended"]) {
    const command = spawn(process.execPath, ["dist/berth.js", "--url", url, "logs", name, "--follow"], { stdio: ["ignore", "ignore", "pipe"] });
    const chunks: string[] = [];
    command.stderr.setEncoding("utf8").on("data", (chunk: string) => chunks.push(chunk));
    const [code] = (await once(command, "close")) as [number];
    expect([code, chunks.join("")]).toEqual([4, expect.stringMatching(/^error CONNECTION_LOST: /)]);
  }
  server.close();
});
