import { once } from "node:events";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { bundleCustom } from "../../../cli/bundle/custom/bundle-custom.ts";
import { findCustomSource } from "../../../cli/bundle/custom/custom-source.ts";
import { ownMachine } from "../../../runtime-images/custom/executable.ts";
import { ON_CLUSTER, TestBerth, until } from "../../helpers/berth.ts";
import { directoryOf } from "../../helpers/bundled.ts";

const NODE = process.execPath;
const WS = join(process.cwd(), "node_modules/ws/index.js");

const SERVER = `
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { spawn } from "node:child_process";
const { WebSocketServer } = createRequire(import.meta.url)(${JSON.stringify(WS)});
let hanging = 0;
let aborted = 0;
const server = createServer(async (req, res) => {
  const path = req.url.split("?")[0];
  if (path === "/kill") return process.kill(process.pid, "SIGKILL");
  if (path === "/aborted") return res.end(String(aborted));
  if (path === "/hanging") return res.end(String(hanging));
  if (path === "/hang") return void (hanging++, res.on("close", () => (aborted += 1)));
  if (path === "/half") { res.write("begun"); return void setTimeout(() => res.destroy(), 50); }
  if (path === "/close") return req.socket.destroy();
  if (path === "/events") {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write("data: 1\\n\\n");
    return void req.on("close", () => res.end());
  }
  if (path === "/echo") { res.writeHead(201, "Made", { "x-own": ["1", "2"], "x-berth-error": "FORGED", "set-cookie": ["a=1", "b=2"] }); return void req.pipe(res); }
  console.log("at " + path);
  res.end(JSON.stringify({ url: req.url, headers: req.headers, cwd: process.cwd(), pid: process.pid, env: Object.keys(process.env).sort() }));
});
new WebSocketServer({ server }).on("connection", (socket) => socket.on("message", (text) => socket.send("echo " + text)));
process.on("SIGTERM", () => { console.log("bye"); process.exit(0); });
server.listen(process.env.PORT, process.env.ONLY ?? "0.0.0.0");
`;

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2 });
});
afterAll(() => berth.close());

async function deploy(name: string, files: Record<string, string>, manifest: { command?: string | string[]; [field: string]: unknown } = {}): Promise<unknown> {
  const dir = directoryOf(files);
  for (const [path, text] of Object.entries(files)) if (text.startsWith("#!")) chmodSync(join(dir, path), 0o755);
  const code = await berth.api.upload(await bundleCustom(findCustomSource(dir, manifest.command), [], ownMachine()));
  return berth.api.call("PUT", `/v1/functions/${name}`, { runtime: "custom", ...manifest, code });
}

const answer = async (name: string, path = "", init: RequestInit = {}) => {
  const response = await berth.invoke(name, init, path);
  return { status: response.status, error: response.headers.get("x-berth-error"), headers: response.headers, text: await response.text() };
};
const logs = async (name: string) => (await berth.api.get<{ items: { message: string; callId: string | null }[] }>(`/v1/functions/${name}/logs`)).items;

describe.skipIf(ON_CLUSTER)("a command that serves HTTP", () => {
  test("is started in its directory, gets requests without the platform's headers, and answers with its own", async () => {
    await deploy("web", { "server.mjs": SERVER, ".env": "no" }, { command: `${NODE} server.mjs`, env: { OWN: "1", LD_LIBRARY_PATH: "/x" } });
    const { status, text } = await answer("web", "/a?x=%20", { headers: { "x-call-id": "call-1" } });
    const seen = JSON.parse(text);
    expect([status, seen.url, seen.headers["x-call-id"]]).toEqual([200, "/a?x=%20", "call-1"]);
    expect(Object.keys(seen.headers).filter((header) => header.startsWith("x-berth-"))).toEqual([]);
    expect(seen.env.filter((key: string) => !/^(LANG|LC_ALL|TZ|PWD|SHLVL|_)$/.test(key))).toEqual(
      ["BERTH_INSTANCE_UID", "BERTH_WORKER_ID", "HOME", "LD_LIBRARY_PATH", "OWN", "PATH", "PORT", "TMPDIR"].sort(),
    );
    const echo = await answer("web", "/echo", { method: "POST", body: "x".repeat(300_000) });
    expect([echo.status, echo.text.length, echo.headers.get("x-own"), echo.error]).toEqual([201, 300_000, "1, 2", null]);
    expect(echo.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    await until(async () => (await logs("web")).some(({ message }) => message === "at /a"), "its output is logged");
  });

  test("streams in both directions", async () => {
    const url = new URL(`${berth.berth.invokeUrl}/function/web/echo`);
    const req = request(url, { method: "POST" });
    req.write("one");
    const [res] = await once(req, "response");
    expect(String((await once(res, "data"))[0])).toBe("one");
    req.write("two");
    expect(String((await once(res, "data"))[0])).toBe("two");
    req.end();
    res.resume();
    await once(res, "end");
    const events = await berth.invoke("web", {}, "/events");
    const reader = (events.body as ReadableStream<Uint8Array>).getReader();
    expect(Buffer.from((await reader.read()).value as Uint8Array).toString()).toBe("data: 1\n\n");
    await reader.cancel();
  });

  test("learns that its client has gone", async () => {
    const leave = new AbortController();
    const hanging = berth.invoke("web", { signal: leave.signal }, "/hang").catch(() => "gone");
    await until(async () => (await answer("web", "/hanging")).text === "1", "the command has the request");
    leave.abort();
    expect(await hanging).toBe("gone");
    await until(async () => (await answer("web", "/aborted")).text !== "0", "the request to the command has ended");
  });

  test("has WebSockets", async () => {
    const socket = new WebSocket(`${berth.berth.invokeUrl.replace("http", "ws")}/function/web/room`);
    await once(socket, "open");
    socket.send("hé");
    expect(String((await once(socket, "message"))[0])).toBe("echo hé");
    socket.close();
    await once(socket, "close");
  });

  test("is told of by its callers' answers: a response that breaks off, none at all, and the end of its process", async () => {
    await expect(answer("web", "/half")).rejects.toThrow();
    expect(await answer("web", "/close")).toMatchObject({ status: 502, error: "RESPONSE_INVALID" });
    const killed = await answer("web", "/kill");
    expect([killed.status, killed.error]).toEqual([502, "FUNCTION_CRASHED"]);
    expect(killed.text).toContain("SIGKILL");
    expect((await answer("web", "/again")).status).toBe(200);
  });

  test("gets SIGTERM, and is killed if it ignores it, with all that it has started", async () => {
    await deploy(
      "stubborn",
      { "run.sh": `#!/bin/sh\ntrap '' TERM\n${NODE} server.mjs\n`, "server.mjs": SERVER.replace('process.on("SIGTERM"', 'process.on("SIGHUP"') },
      { command: "./run.sh" },
    );
    const { pid } = JSON.parse((await answer("stubborn")).text);
    await berth.api.call("DELETE", "/v1/functions/stubborn");
    await until(() => !isAlive(pid), "it has ended");
    const before = JSON.parse((await answer("web")).text).pid;
    await deploy("web", { "server.mjs": SERVER }, { command: [NODE, "server.mjs"] });
    await answer("web");
    await until(() => !isAlive(before), "the command of the older revision has ended");
    await until(async () => (await logs("web")).some(({ message }) => message === "bye"), "it had SIGTERM");
  });

  test.each([
    ["on the loopback address of IPv6 alone", { env: { ONLY: "::1" } }],
    ["after a while", { command: `sleep 1; exec ${NODE} server.mjs` }],
    ["on a port by argument", { command: [NODE, "-e", `require("http").createServer((q, s) => s.end("{}")).listen(process.argv[1])`, "$PORT"] }],
    ["once its health path answers", { health: "/healthz" }],
  ])("is found where it listens %s", async (how, manifest) => {
    const name = `listens-${how.length}`;
    await deploy(name, { "server.mjs": SERVER }, { command: [NODE, "server.mjs"], ...manifest });
    expect((await answer(name)).status).toBe(200);
  });

  test.each<[string, Record<string, string>, Parameters<typeof deploy>[2], string, RegExp]>([
    ["exits", {}, { command: "echo some words; exit 3" }, "FUNCTION_LOAD_FAILED", /exited with code 3\\nsome words/],
    ["goes to the background", {}, { command: "sleep 1000 & exit 0" }, "FUNCTION_LOAD_FAILED", /stay in the foreground/],
    ["has no interpreter", { run: "#!/usr/bin/env no-such-program\n" }, { command: "./run" }, "FUNCTION_LOAD_FAILED", /is a script for no-such-program/],
    ["is no program here", {}, { command: "no-such-program" }, "FUNCTION_LOAD_FAILED", /there is no program no-such-program here/],
    ["does not listen", {}, { command: "sleep 1000", loadTimeout: "400ms" }, "FUNCTION_LOAD_TIMEOUT", /does not listen on port \d+/],
    [
      "listens elsewhere",
      {},
      { command: [NODE, "-e", "require('http').createServer().listen(0, '127.0.0.1')"], loadTimeout: "3s" },
      "FUNCTION_LOAD_TIMEOUT",
      /does not listen on port \d+ \(\$PORT\) but on 127\.0\.0\.1:\d+/,
    ],
    [
      "is not healthy",
      { "server.mjs": SERVER },
      { command: [NODE, "server.mjs"], health: "/close", loadTimeout: "2s" },
      "FUNCTION_LOAD_TIMEOUT",
      /\/close fails: socket hang up/,
    ],
    ["finds its port taken", {}, { command: "echo bind: address already in use; exit 1" }, "FUNCTION_LOAD_FAILED", /already in use/],
  ])("that %s is an error that says so", async (what, files, manifest, code, message) => {
    const name = what.replaceAll(" ", "-");
    await deploy(name, { "a.txt": "", ...files }, manifest);
    const { error, text } = await answer(name);
    expect([error, text]).toEqual([code, expect.stringMatching(message)]);
  });
});

const BOOTSTRAP = `#!/bin/sh
exec ${NODE} bootstrap.mjs
`;
const RUNTIME = `
const api = "http://" + process.env.AWS_LAMBDA_RUNTIME_API + "/2018-06-01/runtime/";
const post = (path, body, headers = {}) => fetch(api + path, { method: "POST", body, headers, duplex: "half" });
if (process.env.INIT) { await post("init/error", JSON.stringify({ errorMessage: "no database", errorType: "Init" })); process.exit(1); }
for (;;) {
  const next = await fetch(api + "invocation/next");
  const id = next.headers.get("lambda-runtime-aws-request-id");
  const event = await next.json();
  const path = event.rawPath ?? event.path;
  console.log("event of " + id);
  if (path === "/exit") process.exit(7);
  if (path === "/error") { await post("invocation/" + id + "/error", JSON.stringify({ errorMessage: "not well", errorType: "Oops", stackTrace: ["at here"] })); continue; }
  if (path === "/text") { await post("invocation/" + id + "/response", "plain text"); continue; }
  if (path === "/stream") {
    const parts = ['{"statusCode":202,"headers":{"x-own":"1"}}', "\\0\\0\\0\\0", "\\0\\0\\0\\0one", "two"];
    const body = new ReadableStream({ async pull(c) { const part = parts.shift(); if (part === undefined) return c.close(); c.enqueue(new TextEncoder().encode(part)); await new Promise((r) => setTimeout(r, 20)); } });
    await post("invocation/" + id + "/response", body, { "lambda-runtime-function-response-mode": "streaming", "content-type": "application/vnd.awslambda.http-integration-response" });
    continue;
  }
  const unknown = (await post("invocation/none/response", "{}")).status;
  const seen = { version: event.version, body: event.body, unknown, deadline: Number(next.headers.get("lambda-runtime-deadline-ms")) - Date.now(), arn: next.headers.get("lambda-runtime-invoked-function-arn"), task: process.env.LAMBDA_TASK_ROOT === process.cwd(), name: process.env.AWS_LAMBDA_FUNCTION_NAME };
  await post("invocation/" + id + "/response", JSON.stringify({ statusCode: 200, headers: { "x-own": "1" }, body: JSON.stringify(seen) }));
}
`;

describe.skipIf(ON_CLUSTER)("a bootstrap that speaks the Lambda Runtime API", () => {
  const files = { bootstrap: BOOTSTRAP, "bootstrap.mjs": RUNTIME };

  test("gets events, and answers with results, streams, text and errors", async () => {
    await deploy("boot", files, { concurrency: 1, timeout: "9s" });
    const { status, headers, text } = await answer("boot", "/a", {
      method: "POST",
      body: "hi",
      headers: { "x-call-id": "call-7", "content-type": "text/plain" },
    });
    const { deadline, ...seen } = JSON.parse(text);
    expect([status, headers.get("x-own")]).toEqual([200, "1"]);
    expect(seen).toEqual({ version: "2.0", body: "hi", unknown: 400, arn: expect.stringMatching(/:boot$/), task: true, name: "boot" });
    expect(deadline).toBeGreaterThan(5000);
    const streamed = await answer("boot", "/stream");
    expect([streamed.status, streamed.headers.get("x-own"), streamed.text]).toEqual([202, "1", "onetwo"]);
    expect((await answer("boot", "/text")).text).toBe("plain text");
    const failed = await answer("boot", "/error");
    expect([failed.status, failed.error, JSON.parse(failed.text).error.message]).toEqual([500, "FUNCTION_ERROR", "not well"]);
    await until(async () => (await logs("boot")).some(({ message }) => message.includes("at here")), "the stack is logged");
    expect(await logs("boot")).toContainEqual(expect.objectContaining({ message: "event of call-7", callId: "call-7" }));
  });

  test("runs one invocation per poll, while others wait", async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => answer("boot")));
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    await deploy("wide", files, { concurrency: 5, maxScale: 1 });
    expect((await Promise.all(Array.from({ length: 5 }, () => answer("wide")))).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });

  test("has events of payload format 1.0 by its signature", async () => {
    await deploy("boot-v1", files, { concurrency: 1, signature: "lambda-1.0" });
    expect(JSON.parse((await answer("boot-v1")).text).version).toBe("1.0");
  });

  test("that exits, or fails to initialize, is an error that says so", async () => {
    const { status, error, text } = await answer("boot", "/exit");
    expect([status, error, text]).toEqual([502, "FUNCTION_CRASHED", expect.stringContaining("exited with code 7")]);
    expect((await answer("boot")).status).toBe(200);
    await deploy("boot-init", files, { env: { INIT: "1" } });
    expect(await answer("boot-init")).toMatchObject({ error: "FUNCTION_LOAD_FAILED", text: expect.stringContaining("no database") });
    await deploy("boot-silent", { bootstrap: "#!/bin/sh\nsleep 1000\n" }, { loadTimeout: "400ms" });
    expect(await answer("boot-silent")).toMatchObject({ error: "FUNCTION_LOAD_TIMEOUT", text: expect.stringContaining("does not ask for an invocation") });
  });
});

/** A process that was killed stays known until its parent asks, which may be the machine's first one. */
const isAlive = (pid: number) => existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
