import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { InvocationProxy } from "../../../../../pool-manager/api/live/invocation-proxy.ts";

async function proxyTo(answer: RequestListener): Promise<InvocationProxy> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return new InvocationProxy(() => ({ host: "127.0.0.1", port }));
}

test("asks the router for the function, with the caller's key and none of the headers that are the router's", async () => {
  let seen: Pick<IncomingMessage, "method" | "url" | "headers"> = { headers: {} };
  const proxy = await proxyTo((req, res) => {
    seen = req;
    res.writeHead(201, {
      "x-berth-start": "cold",
      "x-berth-revision": "r2",
      "x-call-id": "c1",
      "server-timing": "db;dur=5, queue;dur=1.50, claim;dur=2.00, load;dur=3.00, run;dur=4.25",
    });
    res.end('{"a":1}');
  });
  const headers = { Host: "evil", "x-berth-hop": "r", connection: "upgrade", "X-Forwarded-For": "1.2.3.4", "content-type": "text/x", "x-own": "1" };
  const answer = await proxy.invoke("f", { path: "/a?b=c", revision: "r2", body: "ü", headers }, "key");
  expect([seen.method, seen.url]).toEqual(["POST", "/function/f@r2/a?b=c"]);
  expect(seen.headers).toMatchObject({ "content-type": "text/x", "x-own": "1", "x-berth-api-key": "key", "content-length": "2" });
  expect(seen.headers.host).toMatch(/^127/);
  for (const name of ["x-berth-hop", "x-forwarded-for", "upgrade"]) expect(seen.headers[name]).toBeUndefined();
  expect(answer).toMatchObject({ status: 201, start: "cold", revision: "r2", callId: "c1", body: '{"a":1}', isBase64: false, truncated: false });
  expect(answer.phases).toEqual({ queue: 1.5, claim: 2, load: 3, run: 4.25 });
});

test("an answer's length is bounded, and bytes that are no text come as base64", async () => {
  const proxy = await proxyTo((req, res) => {
    if (req.url?.endsWith("/bytes")) return void res.end(Buffer.from([0xff, 0xfe, 0]));
    const more = () => void (res.write("ü".repeat(50_000)) ? setImmediate(more) : res.once("drain", more));
    more();
  });
  const long = await proxy.invoke("f", {}, null);
  expect([long.truncated, long.isBase64, long.phases, long.body.length]).toEqual([true, false, null, 128 * 1024]);
  const bytes = await proxy.invoke("f", { path: "/bytes" }, null);
  expect([bytes.isBase64, bytes.body]).toEqual([true, "//4A"]);
});

test("no router, and one that does not answer, have codes", async () => {
  await expect(new InvocationProxy(() => null).invoke("f", {}, null)).rejects.toMatchObject({ code: "NO_ROUTER" });
  const broken = await proxyTo((req) => req.socket.destroy());
  await expect(broken.invoke("f", {}, null)).rejects.toMatchObject({ code: "ROUTER_FAILED" });
  const cut = await proxyTo((req, res) => {
    res.writeHead(200, { "content-length": "10" });
    res.write("half");
    setImmediate(() => req.socket.destroy());
  });
  await expect(cut.invoke("f", {}, null)).rejects.toMatchObject({ code: "ROUTER_FAILED" });
});

test("not more than sixteen run at a time, and places come back", async () => {
  const held: (() => void)[] = [];
  const proxy = await proxyTo((_req, res) => void held.push(() => res.end()));
  const running = Array.from({ length: 16 }, () => proxy.invoke("f", {}, null));
  await expect(proxy.invoke("f", {}, null)).rejects.toMatchObject({ code: "TOO_MANY_STREAMS" });
  await expect.poll(() => held.length).toBe(16);
  for (const end of held.splice(0)) end();
  await Promise.all(running);
  const again = proxy.invoke("f", {}, null);
  await expect.poll(() => held.length).toBe(1);
  held[0]?.();
  await expect(again).resolves.toMatchObject({ status: 200 });
});
