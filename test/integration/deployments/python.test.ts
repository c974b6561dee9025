import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { bundlePython } from "../../../cli/bundle/python/bundle-python.ts";
import { findPythonSource } from "../../../cli/bundle/python/python-source.ts";
import { ON_CLUSTER, TestBerth, until } from "../../helpers/berth.ts";
import { directoryOf } from "../../helpers/bundled.ts";
import { PYTHON } from "../../helpers/python.ts";

/** An ASGI application without a framework. */
const ASGI = `
import asyncio, contextlib, os, sys, logging

started = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                started.append(1)
            else:
                print("lifespan over")
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept", "headers": [(b"x-berth-refused", b"stale")]})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": "echo " + message["text"]})
        return
    path = scope["path"].removeprefix(scope["root_path"])
    if path == "/raises":
        raise ValueError("not well")
    if path == "/half":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        raise ValueError("in the middle")
    if path == "/bad-head":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"a\\r\\nb")]})
    if path == "/silent":
        return
    if path == "/outlives":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"early"})
        await asyncio.sleep(60)
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    print("part, ", end="")
    print("got", len(body))
    logging.getLogger("app").warning("a warning")
    print("no newline", end="")
    parts = [f"{len(body)} {path} {scope['root_path']} {scope['client'][0]} {started}".encode(), b" end"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-berth-error", b"FORGED"), (b"x-own", b"1")]})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
        await asyncio.sleep(0.05)
    await send({"type": "http.response.body"})
`;

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2 });
});
afterAll(() => berth.close());

async function deploy(name: string, files: Record<string, string>, manifest: object = {}, entry?: string): Promise<void> {
  const source = findPythonSource(directoryOf(files), entry);
  const code = await berth.api.upload(await bundlePython(source));
  const handler = source.handler === undefined ? {} : { handler: source.handler };
  await berth.api.call("PUT", `/v1/functions/${name}`, { runtime: "python", ...handler, ...manifest, code });
}

async function logs(name: string): Promise<{ message: string; callId: string | null }[]> {
  return (await berth.api.get<{ items: { message: string; callId: string | null }[] }>(`/v1/functions/${name}/logs`)).items;
}

describe.skipIf(ON_CLUSTER || PYTHON === null)("python", () => {
  test("an ASGI application has its lifespan, its body, its path and its client, and cannot set the platform's headers", async () => {
    await deploy("asgi", { "main.py": ASGI });
    const response = await berth.invoke("asgi", { method: "POST", body: "x".repeat(300_000), headers: { "x-call-id": "call-1" } }, "/a");
    expect([response.status, await response.text()]).toEqual([200, "300000 /a /function/asgi 127.0.0.1 [1] end"]);
    expect([response.headers.get("x-own"), response.headers.get("x-berth-error"), response.headers.get("date")]).toEqual(["1", null, expect.any(String)]);
    await until(async () => (await logs("asgi")).length >= 3, "its lines have come");
    const lines = (await logs("asgi")).map(({ message, callId }) => [message, callId]);
    expect(lines).toEqual(
      expect.arrayContaining([
        ["part, got 300000", "call-1"],
        ["a warning", "call-1"],
        ["no newline", "call-1"],
      ]),
    );
  });

  test.each([
    ["/raises", 500, "FUNCTION_ERROR", "not well"],
    ["/bad-head", 500, "FUNCTION_ERROR", "header"],
    ["/silent", 500, "FUNCTION_ERROR", "without a response"],
  ])("an error at %s is answered, and its traceback logged", async (path, status, code, message) => {
    const response = await berth.invoke("asgi", {}, path);
    expect([response.status, response.headers.get("x-berth-error")]).toEqual([status, code]);
    expect(await response.text()).toContain(message);
    if (path === "/raises") await until(async () => (await logs("asgi")).some(({ message }) => message === "ValueError: not well"), "its traceback is logged");
  });

  test("an error in the middle of a response breaks it off", async () => {
    const response = await berth.invoke("asgi", {}, "/half");
    await expect(response.text()).rejects.toThrow();
  });

  test("WebSockets carry messages both ways, and applications of other kinds refuse them", async () => {
    const url = `${berth.berth.invokeUrl.replace("http", "ws")}/function`;
    const socket = new WebSocket(`${url}/asgi/room`);
    await once(socket, "open");
    socket.send("hello");
    expect(String((await once(socket, "message"))[0])).toBe("echo hello");
    socket.close();
    await deploy("no-sockets", { "main.py": "def lambda_handler(event, context): return 'x'" });
    const [, refused] = await once(
      new WebSocket(`${url}/no-sockets`).on("error", () => {}),
      "unexpected-response",
    );
    expect([refused.statusCode, refused.headers["x-berth-error"]]).toEqual([501, "UPGRADE_UNSUPPORTED"]);
  });

  test("an invocation that outlives its response ends its instance, whose lifespan is told", async () => {
    await deploy("outlives", { "main.py": ASGI }, { timeout: "2s", maxScale: 1 });
    expect(await (await berth.invoke("outlives", {}, "/outlives")).text()).toBe("early");
    await until(async () => (await logs("outlives")).some(({ message }) => message.includes("an invocation went on for 2000 ms")), "it is logged");
    await until(async () => (await logs("outlives")).some(({ message }) => message === "lifespan over"), "the lifespan ended");
    expect((await berth.invoke("outlives", {}, "/")).status).toBe(200);
  });

  test("a Lambda handler gets the events of both formats", async () => {
    const source = `import json
def lambda_handler(event, context):
    return {"statusCode": 201, "headers": {"x-version": event["version"]}, "body": json.dumps([event.get("rawPath", event.get("path")), event["body"], context.function_name])}`;
    for (const [name, signature, version] of [
      ["lambda-2", "lambda", "2.0"],
      ["lambda-1", "lambda-1.0", "1.0"],
    ] as const) {
      await deploy(name, { "lambda_function.py": source }, { signature });
      const response = await berth.invoke(name, { method: "POST", body: "hi" }, "/p");
      expect([response.status, response.headers.get("x-version"), await response.json()]).toEqual([201, version, ["/p", "hi", name]]);
    }
  });

  test("WSGI runs as many invocations at a time as its concurrency, in threads, and streams", async () => {
    const source = `import time
def application(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    def stream():
        for i in range(3):
            yield b"%d " % i
            time.sleep(0.2)
    return stream()`;
    await deploy("wsgi", { "site.py": source }, { concurrency: 4, maxScale: 1 }, "site.py");
    const since = performance.now();
    const responses = await Promise.all(Array.from({ length: 4 }, () => berth.invoke("wsgi")));
    const headsMs = performance.now() - since;
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual(Array(4).fill("0 1 2 "));
    expect(performance.now() - since - headsMs).toBeGreaterThan(200);
    expect(performance.now() - since).toBeLessThan(4 * 600);
  });

  test.each([
    ["a syntax error", { "main.py": "x = 1\ndef f(:\n" }, "main.py:2: SyntaxError"],
    [
      "an error of a module that it imports",
      { "main.py": "import pkg.part", "pkg/__init__.py": "", "pkg/part.py": "\n\n1 / 0" },
      "pkg/part.py:3: ZeroDivisionError",
    ],
    ["a missing package", { "main.py": "import not_there" }, "main.py:1: ModuleNotFoundError: No module named 'not_there'"],
    ["no handler", { "main.py": "x = 1" }, "no handler was found (the module has x)"],
    [
      "a lifespan that fails",
      { "main.py": "async def app(scope, receive, send):\n    await receive()\n    await send({'type': 'lifespan.startup.failed', 'message': 'no database'})" },
      "no database",
    ],
  ])("%s is the load's error, with its place", async (_what, files, message) => {
    await deploy("broken", files as Record<string, string>);
    const response = await berth.invoke("broken");
    expect([response.status, response.headers.get("x-berth-error")]).toEqual([502, "FUNCTION_LOAD_FAILED"]);
    expect(await response.text()).toContain(message);
    await berth.api.call("DELETE", "/v1/functions/broken");
  });

  test("a WSGI application may read a body without a length to its end, as frameworks do that look for the mark", async () => {
    const source = `def application(environ, start_response):
    is_read = environ.get("wsgi.input_terminated") or environ.get("CONTENT_LENGTH")
    start_response("200 OK", [("content-type", "text/plain")])
    return [environ["wsgi.input"].read() if is_read else b"unread"]`;
    await deploy("chunked", { "site.py": source }, {}, "site.py");
    const body = new Blob(["a", "b".repeat(100_000)]).stream();
    expect(await (await berth.invoke("chunked", { method: "POST", body, duplex: "half" })).text()).toBe(`a${"b".repeat(100_000)}`);
  });

  test("a function finds its own packages, not those of the worker or the machine", async () => {
    const source = `import importlib.util, h11, site_like
def lambda_handler(event, context):
    return {"statusCode": 200, "body": " ".join([h11.WHOSE, str(importlib.util.find_spec("uvicorn")), str(importlib.util.find_spec("pip")), site_like.NAME])}`;
    await deploy("isolated", { "main.py": source, "h11.py": "WHOSE = 'own'", "site_like/__init__.py": "NAME = 'package'" });
    expect(await (await berth.invoke("isolated")).text()).toBe("own None None package");
  });

  test("an asyncio.run while the module loads, and sys.exit while it runs", async () => {
    const source = `import asyncio, sys
async def prepare(): return "prepared"
state = asyncio.run(prepare())
async def lambda_handler(event, context):
    if event["rawPath"] == "/exit": sys.exit(3)
    await asyncio.sleep(0)
    return state`;
    await deploy("loop", { "main.py": source });
    expect(await (await berth.invoke("loop")).text()).toBe("prepared");
    expect((await berth.invoke("loop", {}, "/exit")).status).toBe(502);
    await until(async () => (await berth.invoke("loop")).status === 200, "another instance serves", 20_000);
  });

  test("a handler of SIGTERM is called when another revision takes its place", async () => {
    const source = `import signal, sys
def bye(number, frame):
    print("told to end")
    sys.exit(0)
signal.signal(signal.SIGTERM, bye)
def lambda_handler(event, context): return "ok"`;
    await deploy("signal", { "main.py": source });
    expect(await (await berth.invoke("signal")).text()).toBe("ok");
    await deploy("signal", { "main.py": `${source}\n# another revision\n` });
    expect(await (await berth.invoke("signal")).text()).toBe("ok");
    await until(async () => (await logs("signal")).some(({ message }) => message === "told to end"), "the former worker was told", 40_000);
  }, 60_000);

  test("the pool is filled for the first function and emptied after the last", async () => {
    const free = async () => (await berth.instances()).filter(({ pool, state }) => pool === "python" && state === "prewarmed").length;
    await until(async () => (await free()) === 2, "two are free");
    const { items } = await berth.api.get<{ items: { name: string; runtime: string }[] }>("/v1/functions");
    for (const { name, runtime } of items) if (runtime === "python") await berth.api.call("DELETE", `/v1/functions/${name}`);
    await until(async () => (await free()) === 0, "none is left", 20_000);
  });
});

test("a signature of another language is refused at deployment", async () => {
  const code = await berth.upload("export default { fetch: () => new Response() };");
  await expect(berth.api.call("PUT", "/v1/functions/other", { code, signature: "wsgi" })).rejects.toThrow(/not a signature of the runtime node/);
});
