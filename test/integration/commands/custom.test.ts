import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ON_CLUSTER, TestBerth, until } from "../../helpers/berth.ts";
import { type CommandManifest, customFunctions } from "../../helpers/subjects/custom-functions.ts";

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
const { deploy, answer, logs } = customFunctions(() => berth);
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2 });
});
afterAll(() => berth.close());

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

  test.each<[string, Record<string, string>, CommandManifest, string, RegExp]>([
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

/** A process that was killed stays known until its parent asks, which may be the machine's first one. */
const isAlive = (pid: number) => existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
