import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { functionAt, listen, type Routed, startRouted } from "../../helpers/subjects/routed.ts";

const KEEP_ALIVE_MS = 1000;
/** Until a connection that is idle too long has ended: node:http adds a second to its timeout. */
const ENDED_MS = 4000;

const instance = createServer((req, res) => req.resume().on("end", () => res.end("ok")));
let routed: Routed;
beforeAll(async () => {
  routed = await startRouted([functionAt([await listen(instance)])], { keepAliveMs: KEEP_ALIVE_MS });
});
afterAll(async () => {
  await routed.close();
  instance.close();
});

test.each([
  ["a plain request", "GET /function/f HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a chunked one", "POST /function/f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"],
])("a connection says how long it may be idle, and ends after that: %s", async (_what, request) => {
  const { hostname, port } = new URL(routed.url);
  const socket = connect(Number(port), hostname);
  let text = "";
  socket.on("data", (bytes) => (text += bytes.toString("latin1")));
  socket.write(request);
  const from = performance.now();
  await once(socket, "close", { signal: AbortSignal.timeout(ENDED_MS) });
  expect(text.toLowerCase()).toMatch(/^http\/1\.1 200 ok\r\n(.+\r\n)*connection: keep-alive\r\nkeep-alive: timeout=1\r\n/);
  expect(performance.now() - from).toBeGreaterThanOrEqual(KEEP_ALIVE_MS - 20);
});
