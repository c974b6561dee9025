import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { TestBerth, until } from "../helpers/berth.ts";
import { freePort } from "../helpers/free-port.ts";
import { PYTHON } from "../helpers/python.ts";
import { deploy } from "./subject.ts";

const APPS = join(import.meta.dirname, "apps/python");
const CLIENTS = join(import.meta.dirname, "clients");
const run = promisify(execFile);
const python = PYTHON?.command[0] ?? "python3";

let berth: TestBerth;
const servers: ChildProcess[] = [];
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2 });
});
afterAll(async () => {
  for (const server of servers) server.kill("SIGKILL");
  await berth.close();
});

/** The same app under its usual server, with the packages of its requirements. Returns its URL. */
async function alone(app: string, args: (port: number) => string[]): Promise<string> {
  const packages = mkdtempSync(join(tmpdir(), "berth-test-"));
  execFileSync(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", packages, "-r", join(APPS, app, "requirements.txt")]);
  const port = await freePort();
  const env = { PATH: process.env.PATH, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: "1" };
  const server = spawn(python, args(port), { cwd: join(APPS, app), env, stdio: "ignore" });
  servers.push(server);
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
  await until(answers, `${app} alone has started`, 60_000);
  return `http://127.0.0.1:${port}`;
}

const JSON_HEADERS = { "content-type": "application/json" };

async function answerOf(url: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(url, { redirect: "manual", ...init });
  // A link of the app to itself contains its public prefix.
  const unprefixed = (text: string) => text.replace(/^https?:\/\/[^/]+/, "").replaceAll(/\/function\/[^/"]+/g, "");
  const location = unprefixed(response.headers.get("location") ?? "");
  return [response.status, response.headers.get("content-type"), location, unprefixed(await response.text())];
}

describe.skipIf(PYTHON === null)("python apps answer as they do on their usual servers", () => {
  test.each<[string, (port: number) => string[], readonly string[], [string, RequestInit][]]>([
    [
      "flask",
      (port) => ["-m", "flask", "--app", "app", "run", "--port", String(port)],
      [],
      [
        ["/hello/Ada?x=1&x=%C3%BC", {}],
        ["/echo", { method: "POST", body: "x".repeat(200_000), headers: { "content-type": "text/x" } }],
        ["/login", {}],
        ["/stream", {}],
        ["/boom", {}],
        ["/missing", {}],
        ["/hello/Ada", { method: "HEAD" }],
      ],
    ],
    [
      "fastapi",
      (port) => ["-m", "uvicorn", "main:app", "--port", String(port)],
      [],
      [
        ["/hello/Ada?x=1", {}],
        ["/items", { method: "POST", body: '{"name":"a"}', headers: JSON_HEADERS }],
        ["/done", {}],
        ["/items", { method: "POST", body: '{"name":', headers: JSON_HEADERS }],
        ["/events", {}],
        ["/boom", {}],
        ["/missing", {}],
      ],
    ],
    [
      "functions",
      (port) => ["-m", "functions_framework", "--target", "hello", "--port", String(port)],
      [],
      [
        ["/a/b?x=1", {}],
        ["/json", { method: "POST", body: '{"a":[1]}', headers: JSON_HEADERS }],
        ["/boom", {}],
      ],
    ],
    [
      "typed",
      (port) => ["-m", "functions_framework", "--target", "double", "--port", String(port)],
      [],
      [
        ...[
          '{"name":"Ü","count":2}',
          '{"name":"nothing"}',
          '{"name":"text"}',
          '{"name":"boom"}',
          '{"count":2}',
          '{"name":"a","count":"x"}',
          "[1]",
          '{"name":',
          "",
        ].map((body): [string, RequestInit] => ["/", { method: "POST", body, headers: JSON_HEADERS }]),
        ["/", { method: "POST", body: '{"name":"a"}', headers: { "content-type": "text/plain" } }],
        ["/a/b?x=1", { method: "POST", body: '{"name":"a"}', headers: JSON_HEADERS }],
        ["/", {}],
        ["/", { method: "PUT", body: '{"name":"a"}', headers: JSON_HEADERS }],
      ],
    ],
    [
      "django",
      (port) => [
        "-c",
        `from wsgiref.simple_server import make_server; from site_wsgi import application; make_server("127.0.0.1", ${port}, application).serve_forever()`,
      ],
      ["--entry", "site_wsgi.py"],
      [
        ["/hello/Ada?x=1", {}],
        ["/", {}],
        ["/boom", {}],
        ["/missing", {}],
      ],
    ],
  ])("%s", { timeout: 240_000 }, async (app, args, options, requests) => {
    const url = await alone(app, args);
    await deploy(berth, `python/${app}`, app, options);
    for (const [path, init] of requests) {
      const here = await answerOf(`${berth.berth.invokeUrl}/function/${app}${path}`, init);
      expect([path, init.body, here]).toEqual([path, init.body, await answerOf(`${url}${path}`, init)]);
    }
  });

  test("fastapi: WebSockets", async () => {
    const socket = new WebSocket(`${berth.berth.invokeUrl.replace("http", "ws")}/function/fastapi/room`);
    await once(socket, "open");
    socket.send("hé");
    expect(String((await once(socket, "message"))[0])).toBe("echo hé");
    socket.close();
  });

  test("functions-framework: CloudEvents, binary and structured", { timeout: 240_000 }, async () => {
    await deploy(berth, "python/cloud-event", "cloud-event");
    const binary = { ...JSON_HEADERS, "ce-id": "1", "ce-source": "/s", "ce-type": "made", "ce-specversion": "1.0" };
    const structured = { specversion: "1.0", id: "2", source: "/s", type: "told", data: { a: 2 } };
    expect((await berth.invoke("cloud-event", { method: "POST", headers: binary, body: '{"a":1}' })).status).toBe(200);
    const headers = { "content-type": "application/cloudevents+json" };
    expect((await berth.invoke("cloud-event", { method: "POST", headers, body: JSON.stringify(structured) })).status).toBe(200);
    expect((await berth.invoke("cloud-event", { method: "POST", headers: JSON_HEADERS, body: "{}" })).status).toBe(400);
    const messages = async () => JSON.stringify(await berth.api.get("/v1/functions/cloud-event/logs"));
    await until(async () => (await messages()).includes("got told {'a': 2}") && (await messages()).includes("got made {'a': 1}"), "both are logged");
  });

  test("CloudEvents of their SDKs come to functions of both languages, one by one", { timeout: 240_000 }, async () => {
    const source = "exports.tell = (data, context) => console.log(JSON.stringify(['got', context.type, context.id, context.subject, data]));";
    await berth.deploy("node-event", source, { signature: "event", handler: "tell" }, "index.cjs");
    const packages = mkdtempSync(join(tmpdir(), "berth-test-"));
    execFileSync(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", packages, "cloudevents"], { stdio: "pipe" });
    for (const [name, line] of [
      ["cloud-event", (n: number) => `got made {'n': ${n}}`],
      ["node-event", (n: number) => `,{"n":${n}}]`],
    ] as const) {
      const url = `${berth.berth.invokeUrl}/function/${name}`;
      const { stdout } = await run(python, [join(CLIENTS, "cloud_events.py"), url], { env: { PATH: process.env.PATH, PYTHONPATH: packages } });
      expect(stdout).toMatch(/^20[04]\n20[04]\n$/);
      await run(process.execPath, [join(CLIENTS, "cloud-events.mjs"), url]);
      const lines = async () => (await berth.api.get<{ items: { message: string }[] }>(`/v1/functions/${name}/logs`)).items.map(({ message }) => message);
      const count = async (text: string) => (await lines()).filter((message) => message.includes(text)).length;
      await until(async () => (await count(line(0))) >= 2 && (await count(line(1))) >= 2, `${name} has got four events`);
      const headers = { "content-type": "application/cloudevents-batch+json" };
      const batch = await berth.invoke(name, { method: "POST", headers, body: "[]" });
      expect([batch.status, batch.headers.get("x-berth-error")]).toEqual([415, "EVENT_BATCHED"]);
    }
    expect(JSON.stringify(await berth.api.get("/v1/functions/node-event/logs"))).toContain('py-0\\",\\"Ü');
  });

  test("a package without a wheel is refused before anything is deployed", { timeout: 240_000 }, async () => {
    const { directoryOf } = await import("../helpers/bundled.ts");
    const dir = directoryOf({ "main.py": "", "requirements.txt": "berth-no-such-package-here==1.0\n" });
    await expect(deploy(berth, dir, "no-wheel")).rejects.toThrow(/WHEEL_MISSING/);
  });
});
