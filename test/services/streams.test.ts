import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sleep } from "../helpers/berth.ts";
import { Fleet, type RouterProcess } from "../helpers/routers.ts";

const GIB = 2 ** 30;
const CHUNK = Buffer.alloc(64 * 1024, 7);

let fleet: Fleet;
let router: RouterProcess;
beforeAll(async () => {
  fleet = await Fleet.start({ poolSize: 1 });
  router = await fleet.router(["--max-body", String(2 * GIB)]);
  await fleet.ready(router);
  const source = `const chunk = new Uint8Array(65536).fill(7);
export default { async fetch(request) {
  const { pathname } = new URL(request.url);
  if (pathname === "/down") {
    let left = 16384;
    return new Response(new ReadableStream({ pull(controller) { if (left-- === 0) controller.close(); else controller.enqueue(chunk.slice()); } }, { highWaterMark: 1 }));
  }
  if (pathname === "/events") {
    let i = 0;
    return new Response(new ReadableStream({ async pull(controller) {
      if (i > 0) await new Promise((done) => setTimeout(done, 200));
      if (i === 5) return controller.close();
      controller.enqueue(new TextEncoder().encode("data: " + i++ + "\\n\\n"));
    } }, { highWaterMark: 0 }), { headers: { "content-type": "text/event-stream" } });
  }
  let size = 0;
  for await (const part of request.body ?? []) size += part.length;
  return new Response(String(size));
} };`;
  await fleet.berth.deploy("stream", source, { timeout: "120s" });
  expect(await (await fetch(`${router.url}/function/stream`)).text()).toBe("0");
});
afterAll(() => fleet.close());

/** Most memory that the router has had resident so far, in MB. */
function peakMb(): number {
  const status = readFileSync(`/proc/${router.child.pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

test("a gibibyte goes up and another comes down with flat memory", async () => {
  // The first 32 MB bring whatever buffers there are.
  const up = async (bytes: number) => {
    let left = bytes / CHUNK.length;
    const body = new Readable({
      read() {
        this.push(left-- > 0 ? CHUNK : null);
      },
    });
    const response = await request(`${router.url}/function/stream`, { method: "POST", body, headersTimeout: 0 });
    expect(await response.body.text()).toBe(String(bytes));
  };
  await up(GIB / 32);
  const before = peakMb();
  await up(GIB);
  const response = await request(`${router.url}/function/stream/down`);
  let size = 0;
  for await (const chunk of response.body) size += chunk.length;
  expect(size).toBe(GIB);
  const grown = peakMb() - before;
  process.stdout.write(`the router's memory grew by ${grown.toFixed(1)} MB over ${before.toFixed(1)} MB\n`);
  expect(grown).toBeLessThan(64);
}, 120_000);

test("a slow reader holds the function back, not the router's memory", async () => {
  const before = peakMb();
  const response = await request(`${router.url}/function/stream/down`);
  await sleep(1500);
  expect(peakMb() - before).toBeLessThan(32);
  response.body.destroy();
  await response.body.closed;
});

test("server-sent events arrive one by one", async () => {
  const response = await request(`${router.url}/function/stream/events`);
  const at: number[] = [];
  for await (const chunk of response.body) {
    expect(String(chunk)).toBe(`data: ${at.length}\n\n`);
    at.push(performance.now());
  }
  expect(at).toHaveLength(5);
  for (let i = 1; i < at.length; i++) expect((at[i] as number) - (at[i - 1] as number)).toBeGreaterThan(100);
});

test("heads and small bodies that trickle are ended, and nobody waits for them", async () => {
  const { hostname, port } = new URL(router.url);
  const head = "POST /function/stream HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n";
  const slow = (start: string) => {
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    socket.write(start);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    const drip = setInterval(() => socket.write("x"), 500);
    return new Promise<{ text: string; ms: number }>((resolve) => {
      const from = performance.now();
      socket.on("close", () => {
        clearInterval(drip);
        resolve({ text, ms: performance.now() - from });
      });
    });
  };
  const heads = Array.from({ length: 50 }, () => slow(`${head}X: `));
  const bodies = Array.from({ length: 50 }, () => slow(`${head}\r\n`));
  for (let i = 0; i < 5; i++) expect((await fetch(`${router.url}/function/stream`)).status).toBe(200);
  for (const { text, ms } of await Promise.all([...heads, ...bodies])) {
    expect(text).toMatch(/^HTTP\/1\.1 408/);
    expect(ms).toBeLessThan(25_000);
  }
}, 60_000);
