import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { Readable } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { listen, type Routed, startRouted } from "../../../helpers/subjects/routed.ts";

let router: Routed;
let manager: Server;
afterEach(async () => {
  await router.close();
  manager.closeAllConnections();
  await new Promise((resolve) => manager.close(resolve));
});

/** A router in front of a pool manager that answers like this. */
async function start(listener: RequestListener): Promise<string> {
  manager = createServer(listener);
  const port = await listen(manager);
  router = await startRouted([], { manageUrl: `http://127.0.0.1:${port}/` });
  return router.url;
}

async function codeOf(response: Response): Promise<[number, string]> {
  return [response.status, (await response.json()).error.code];
}

test("a body is passed on whole, with a length or chunked, and the answer is passed back", async () => {
  const url = await start(async (req, res) => {
    let size = 0;
    for await (const chunk of req) size += (chunk as Buffer).length;
    res.writeHead(202, { "x-own": "1" }).end(`${req.method} ${req.url} ${req.headers.host} ${size}`);
  });
  const chunks = Readable.toWeb(Readable.from(["a", "b"].map((letter) => Buffer.from(letter.repeat(100_000)))));
  for (const [body, size] of [
    ["x".repeat(10), 10],
    ["x".repeat(300_000), 300_000],
    [chunks, 200_000],
  ] as const) {
    const answer = await fetch(`${url}/system/functions?a=1`, { method: "PUT", body, duplex: "half" } as unknown as RequestInit);
    expect([answer.status, answer.headers.get("x-own"), await answer.text()]).toEqual([202, "1", `PUT /system/functions?a=1 ${new URL(url).host} ${size}`]);
  }
  const tooLarge = await fetch(`${url}/system/functions`, { method: "PUT", body: "x".repeat(1024 * 1024 + 1) });
  expect(await codeOf(tooLarge)).toEqual([413, "BODY_TOO_LARGE"]);
});

test("a stream is passed on as it comes, and ends at the pool manager when the client leaves", async () => {
  let left = Promise.resolve<unknown>(null);
  const url = await start((_req, res) => {
    left = once(res, "close");
    res.write("first\n");
  });
  const client = new AbortController();
  const { body } = await fetch(`${url}/system/logs?follow=true`, { signal: client.signal });
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("first\n");
  client.abort();
  await left;
});

test("there is a limit to what runs at a time", async () => {
  const held: (() => void)[] = [];
  const url = await start((_req, res) => void held.push(() => res.end()));
  const running = Array.from({ length: 64 }, () => fetch(`${url}/system/info`));
  while (held.length < 64) await once(manager, "request");
  const refused = await fetch(`${url}/system/info`);
  expect([refused.headers.get("retry-after"), await codeOf(refused)]).toEqual(["1", [429, "MANAGE_BUSY"]]);
  for (const end of held) end();
  expect((await Promise.all(running)).every(({ ok }) => ok)).toBe(true);
  const next = fetch(`${url}/system/info`);
  await once(manager, "request");
  held.at(-1)?.();
  expect((await next).status).toBe(200);
});

test("a pool manager that ends before it answers is said to be away; one that ends while it answers cuts the answer off", async () => {
  const url = await start((req, res) => {
    if (req.url === "/system/info") return void req.socket.destroy();
    res.write("begun", () => req.socket.destroy());
  });
  expect(await codeOf(await fetch(`${url}/system/info`))).toEqual([503, "MANAGER_UNREACHABLE"]);
  await expect(fetch(`${url}/system/logs`).then((answer) => answer.text())).rejects.toThrow();
});

test("a router that is not told to passes nothing on, and says where to go", async () => {
  manager = createServer();
  await listen(manager);
  router = await startRouted([]);
  expect(await codeOf(await fetch(`${router.url}/system/functions`))).toEqual([404, "MANAGE_ELSEWHERE"]);
  expect(await codeOf(await fetch(`${router.url}/async-function/f`, { method: "POST" }))).toEqual([501, "ASYNC_UNSUPPORTED"]);
});
