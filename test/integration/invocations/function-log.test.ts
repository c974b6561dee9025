import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { constants, mkdtempSync, openSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { TestBerth, until } from "../../helpers/berth.ts";
import { freePort } from "../../helpers/free-port.ts";
import { PYTHON } from "../../helpers/python.ts";

/** Invocations that write in turns: each before and after it has waited, for as long as its path says. */
const NODE = `export default { async fetch(request) {
  const ms = Number(new URL(request.url).pathname.split("/").at(-1));
  console.log("begin", ms);
  await new Promise((resolve) => setTimeout(resolve, ms));
  console.error("end", ms);
  return new Response("ok");
} };`;
const ASGI = `
import asyncio, sys
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    ms = int(scope["path"].split("/")[-1])
    print("begin", ms)
    await asyncio.sleep(ms / 1000)
    await asyncio.to_thread(print, "end", ms, file=sys.stderr)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
`;
const trace = (i: number) => `4bf92f3577b34da6a3ce929d0e0e47${String(i).padStart(2, "0")}`;
const SPAN = "00f067aa0ba902b7";

let child: ChildProcess;
afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
  }
});

const ARGS = ["dist/berth.js", "up", "--function-log", "--pool-size", "1", "--no-example"];
/** How long the start may take beside other tests. */
const READY_MS = 40_000;

/** `berth up --function-log`, and what it prints. */
async function start(): Promise<{ berth: TestBerth; printed: () => string }> {
  const args = ["--router-port", "0", "--api-port", "0", "--state-dir", mkdtempSync(join(tmpdir(), "berth-test-"))];
  child = spawn(process.execPath, [...ARGS, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout?.on("data", (chunk) => (text += chunk));
  await until(() => /^berth ready:.*$/m.test(text), "it is ready", READY_MS);
  const [, invokeUrl = "", manageUrl = ""] = /^berth ready: invoke (\S+) manage (\S+)$/m.exec(text) ?? [];
  return { berth: new TestBerth({ invokeUrl, manageUrl, close: async () => {} }), printed: () => text };
}

/** The same with a pipe as its standard output that nobody reads. */
async function startUnread(): Promise<TestBerth> {
  const dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  const pipe = join(dir, "pipe");
  execFileSync("mkfifo", [pipe]);
  // Opened for both directions, so that neither side waits for the other.
  const fd = openSync(pipe, constants.O_RDWR);
  const [routerPort, apiPort] = [await freePort(), await freePort()];
  const args = ["--router-port", String(routerPort), "--api-port", String(apiPort), "--state-dir", join(dir, "state")];
  child = spawn(process.execPath, [...ARGS, ...args], { stdio: ["ignore", fd, "inherit"] });
  const manageUrl = `http://127.0.0.1:${apiPort}`;
  const isReady = async () => (await fetch(`${manageUrl}/readyz`).catch(() => null))?.ok === true;
  await until(isReady, "it is ready", READY_MS);
  return new TestBerth({ invokeUrl: `http://127.0.0.1:${routerPort}`, manageUrl, close: async () => {} });
}

const linesOf = (text: string) =>
  text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("lines of concurrent invocations have the ids of their own", () => {
  test.skipIf(PYTHON === null).each([
    ["node", NODE, "index.mjs"],
    ["python", ASGI, "main.py"],
  ])(
    "%s",
    async (runtime, source, file) => {
      const { berth, printed } = await start();
      await berth.deploy("shop", source, { runtime, concurrency: 10 }, file);
      await berth.invoke("shop", {}, "/0");
      const calls = await Promise.all(
        Array.from({ length: 8 }, async (_, i) => {
          const response = await berth.invoke("shop", { headers: { traceparent: `00-${trace(i)}-${SPAN}-01` } }, `/${300 - 20 * i}`);
          return [response.headers.get("x-call-id"), trace(i)];
        }),
      );
      await until(() => linesOf(printed()).length === 18, "all lines are printed");
      for (const [i, [callId, id]] of calls.entries()) {
        const own = { trace_id: id, span_id: SPAN, callId, function: "shop" };
        expect(linesOf(printed()).filter((line) => line.callId === callId)).toEqual([
          expect.objectContaining({ ...own, level: "info", message: `begin ${300 - 20 * i}` }),
          expect.objectContaining({ ...own, level: "error", message: `end ${300 - 20 * i}` }),
        ]);
      }
      expect(linesOf(printed()).filter((line) => "trace_id" in line)).toHaveLength(16);
    },
    90_000,
  );
});

test("a reader that has stopped holds up neither invocations nor the end", async () => {
  const berth = await startUnread();
  const flood = "export default { fetch() { for (let i = 0; i < 1500; i++) console.log('x'.repeat(8000)); return new Response('ok'); } };";
  await berth.deploy("flood", flood);
  for (let i = 0; i < 2; i++) expect(await (await berth.invoke("flood")).text()).toBe("ok");
  const dropped = async () => /berth_telemetry_dropped_total\{stream="function_log",reason="queue"\} (\d+)/.exec(await metrics())?.[1];
  const metrics = async () => (await fetch(`${berth.berth.manageUrl}/metrics`)).text();
  await until(async () => Number(await dropped()) > 0, "drops are counted");
  child.kill("SIGTERM");
  await until(() => child.exitCode !== null, "it ends");
  expect(child.exitCode).toBe(0);
}, 90_000);
