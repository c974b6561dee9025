import { once } from "node:events";
import { request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { bundle } from "../../../cli/bundle/bundle.ts";
import { PATIENCE, TestBerth, until } from "../../helpers/berth.ts";
import { sendRaw } from "../../helpers/requests/raw-http.ts";

let berth: TestBerth;
let url: string;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 3 });
  // The first pods of a pool take longer than the queueTimeout below.
  await berth.prewarmed(3);
  url = berth.berth.invokeUrl;
});
afterAll(() => berth.close());

async function open(name: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/function/${name}/path`);
  await once(socket, "open");
  return socket;
}

async function ended(): Promise<number> {
  const text = await (await fetch(`${berth.berth.manageUrl}/metrics`)).text();
  return Number(/berth_invocations_total\{function="ws",code="101",start="\w+"\} (\d+)/.exec(text)?.[1] ?? 0);
}

test("a WebSocket starts an instance, carries messages both ways, and holds its slot until it ends", async () => {
  const code = await berth.api.upload(await bundle("examples/websocket"));
  await berth.api.call("PUT", "/v1/functions/ws", { code, concurrency: 1, maxScale: 1, queueTimeout: `${300 * PATIENCE}ms` });
  const socket = await open("ws");
  for (const message of ["one", "x".repeat(300_000)]) {
    socket.send(message);
    expect(String((await once(socket, "message"))[0])).toBe(message);
  }
  // Its only slot is taken.
  expect((await berth.invoke("ws")).status).toBe(504);
  expect(await ended()).toBe(0);
  socket.close(4321, "enough");
  expect((await once(socket, "close"))[0]).toBe(4321);
  await until(async () => (await ended()) === 1, "the invocation has ended");
  expect((await berth.invoke("ws")).status).toBe(200);
});

test("ends when its function is deleted, and on the function's side when the client breaks off", async () => {
  const watched = `import { createHash } from "node:crypto";
    let ended = 0;
    export default { fetch: () => new Response(String(ended)) };
    export function upgrade(request, socket) {
      const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
      socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nX-Berth-Refused: stale\\r\\nSec-WebSocket-Accept: " + accept + "\\r\\n\\r\\n");
      socket.on("close", () => (ended += 1)).on("error", () => {}).resume();
    }`;
  await berth.deploy("watched", watched, { concurrency: 10, maxScale: 1 });
  const first = await open("watched");
  const second = await open("watched");
  first.terminate();
  await until(async () => (await (await berth.invoke("watched")).text()) === "1", "the function has seen the end");
  const closed = once(second, "close");
  await berth.api.call("DELETE", "/v1/functions/watched");
  expect((await closed)[0]).toBe(1006);
});

test("an error that no code catches ends the connection that it came from at once, and no other", async () => {
  const failing = `import { createHash } from "node:crypto";
    export default { fetch: () => new Response("") };
    export function upgrade(request, socket) {
      const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
      socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: " + accept + "\\r\\n\\r\\n");
      socket.on("data", () => { throw new Error("in a listener"); });
    }`;
  await berth.deploy("failing", failing, { concurrency: 10, maxScale: 1, timeout: "20s" });
  const [first, second] = [await open("failing"), await open("failing")];
  const from = performance.now();
  first.send("x");
  expect([(await once(first, "close"))[0], performance.now() - from < 5000 * PATIENCE, second.readyState]).toEqual([1006, true, WebSocket.OPEN]);
  second.terminate();
});

test("an exported server gets WebSockets by its event, where it has a listener for it", async () => {
  const listening = `server.on("upgrade", (req, socket) => {
    const accept = require("node:crypto").createHash("sha1").update(req.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
    socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: " + accept + "\\r\\n\\r\\n");
  });`;
  for (const [name, listener] of [
    ["listens", listening],
    ["serves", ""],
  ] as const) {
    const source = `const server = require("node:http").createServer((_req, res) => res.end("plain")); ${listener} module.exports = server;`;
    await berth.deploy(name, source, {}, "index.cjs");
  }
  (await open("listens")).close();
  expect(await (await berth.invoke("listens")).text()).toBe("plain");
  await expect(open("serves")).rejects.toThrow("Unexpected server response: 501");
});

test("a function without upgrade() answers 501, one that throws 500, and other upgrades are ordinary requests", async () => {
  await berth.deploy("plain", "export default { fetch: (request) => new Response('plain ' + request.headers.get('upgrade')) };");
  const refused = new WebSocket(`${url.replace("http", "ws")}/function/plain`);
  const [error] = await once(refused, "error");
  expect(String(error)).toContain("501");
  await berth.deploy("throws", "export default { fetch: () => new Response('') }; export function upgrade() { throw new Error('not today'); }");
  // Bytes are sent as they are below, with no patience for a start.
  await berth.invoke("throws");
  const headers = { connection: "upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "a2V5a2V5a2V5a2V5a2V5a2U=" };
  const text = await sendRaw(url, [
    `GET /function/throws HTTP/1.1\r\nHost: x\r\n${Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("")}\r\n`,
  ]);
  expect(text).toMatch(/^HTTP\/1\.1 500[\s\S]*not today/);
  const h2c = await sendRaw(url, ["GET /function/plain HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\nUpgrade: h2c\r\n\r\n"]);
  expect(h2c).toMatch(/^HTTP\/1\.1 200[\s\S]*plain null/);
});

test("early hints reach the client before the response", async () => {
  const source = `module.exports = async (req, res) => { res.writeEarlyHints({ link: "</a.css>; rel=preload" }); await new Promise((done) => setTimeout(done, 50)); res.end("late"); };`;
  await berth.deploy("hints", source, { signature: "node" }, "index.cjs");
  await berth.invoke("hints");
  for (const extra of ["", "Connection: close, x-a\r\n"]) {
    const text = await sendRaw(url, [`GET /function/hints HTTP/1.1\r\nHost: x\r\n${extra}\r\n`], 600);
    expect(text).toMatch(/^HTTP\/1\.1 103[^\r]*\r\nlink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200/i);
  }
  const { statusCode } = await request(`${url}/function/hints`);
  expect(statusCode).toBe(200);
});
