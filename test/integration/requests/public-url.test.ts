import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RawClient } from "../../helpers/requests/raw-client.ts";
import { functionAt, listen, type Routed, startRouted } from "../../helpers/subjects/routed.ts";

/** Headers of the requests that the instance has got. */
const seen: IncomingHttpHeaders[] = [];
const instance = createServer((req, res) => {
  seen.push(req.headers);
  res.end();
});

let alone: Routed;
let behindProxy: Routed;
/** One owns the function's slots, and the other passes its invocations on. */
let pair: Routed[];
beforeAll(async () => {
  const functions = [functionAt([await listen(instance)])];
  alone = await startRouted(functions, { domain: "fn.test" });
  behindProxy = await startRouted(functions, { domain: "fn.test", trustedProxies: ["10.0.0.0/8", "127.0.0.1"] });
  pair = [await startRouted(functions, { trustedProxies: ["127.0.0.1"] }), await startRouted(functions, { trustedProxies: ["127.0.0.1"] })];
  for (const { tell } of pair) tell({ type: "routers", routers: pair.map(({ self }) => self) });
});
afterAll(async () => {
  await Promise.all([alone, behindProxy, ...pair].map((router) => router.close()));
  instance.close();
});

const CLAIMS = ["X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example", "X-Forwarded-Prefix: /api", "X-Forwarded-Port: 443"];
const OTHERS = ["Forwarded: host=shop.example;proto=https", "X-Real-IP: 9.9.9.9", "x-forwarded-for: 9.9.9.9"];

/** The function's URL as the function sees it. */
async function told(router: Routed, path: string, lines: string[] = [], host = "public.test:8080") {
  const client = await RawClient.open(router.url);
  await client.send(`GET ${path} HTTP/1.1\r\n${[`Host: ${host}`, ...lines].join("\r\n")}\r\n\r\n`);
  expect((await client.response("GET"))?.status).toBe(200);
  client.close();
  const {
    "x-forwarded-proto": proto,
    "x-forwarded-host": given,
    "x-forwarded-prefix": prefix,
    "x-forwarded-port": port,
    ...rest
  } = seen.at(-1) as Record<string, string>;
  return { url: [proto, given, prefix, port], forwarded: rest.forwarded, real: rest["x-real-ip"], for: rest["x-forwarded-for"] };
}

const NONE = { forwarded: undefined, real: undefined, for: "127.0.0.1" };
const OWN = ["http", "public.test:8080", "/function/f", undefined];

test.each<[string, string, string[]?, string?]>([
  ["/function/f/path?x=1", "/function/f"],
  ["/function/f", "/function/f"],
  ["/function/%66@r1/x", "/function/%66@r1"],
])("a function at %s is told scheme, host and prefix", async (path, prefix) => {
  expect(await told(alone, path)).toEqual({ url: ["http", "public.test:8080", prefix, undefined], ...NONE });
});

test("a function at a host of its own has no prefix, and the authority of a whole URL counts", async () => {
  expect((await told(alone, "/path", [], "f.fn.test")).url).toEqual(["http", "f.fn.test", undefined, undefined]);
  expect((await told(alone, "http://f.fn.test/path", [], "other.test")).url).toEqual(["http", "f.fn.test", undefined, undefined]);
});

test("what a client says of it is not passed on, and does not take away what the router says", async () => {
  expect(await told(alone, "/function/f/", [...CLAIMS, ...OTHERS])).toEqual({ url: OWN, ...NONE });
  expect((await told(alone, "/function/f/", ["Connection: x-forwarded-proto, x-forwarded-host, x-forwarded-prefix", ...CLAIMS])).url).toEqual(OWN);
  expect((await told(alone, "/x", CLAIMS, "f.fn.test")).url).toEqual(["http", "f.fn.test", undefined, undefined]);
  expect((await told(alone, "/function/f/", ["x-berth-hop: deadbeef", ...CLAIMS])).url).toEqual(OWN);
});

test("what a trusted proxy says is passed on, and what it leaves out is the router's", async () => {
  const all = await told(behindProxy, "/function/f/", [...CLAIMS, ...OTHERS]);
  expect(all.url).toEqual(["https", "shop.example", "/api/function/f", "443"]);
  expect([all.forwarded, all.real]).toEqual(["host=shop.example;proto=https", "9.9.9.9"]);
  expect((await told(behindProxy, "/function/f/", ["X-Forwarded-Proto: https"])).url).toEqual(["https", "public.test:8080", "/function/f", undefined]);
  expect((await told(behindProxy, "/x", ["X-Forwarded-Prefix: /shop"], "f.fn.test")).url).toEqual(["http", "f.fn.test", "/shop", undefined]);
});

test.each<[string, string[], string]>([
  ["what the proxy has seen", ["X-Forwarded-For: 9.9.9.9"], "9.9.9.9, 127.0.0.1"],
  ["not what its client said", ["X-Forwarded-For: 1.1.1.1, 9.9.9.9"], "9.9.9.9, 127.0.0.1"],
  ["in several lines", ["X-Forwarded-For: 1.1.1.1", "x-forwarded-for: 9.9.9.9, 10.1.2.3"], "9.9.9.9, 10.1.2.3, 127.0.0.1"],
  ["of trusted proxies alone", ["X-Forwarded-For: 10.0.0.1,10.0.0.2"], "10.0.0.1, 10.0.0.2, 127.0.0.1"],
  ["no address", ["X-Forwarded-For: 1.1.1.1, unknown"], "unknown, 127.0.0.1"],
  ["nothing", ["X-Forwarded-For: "], "127.0.0.1"],
])("of a trusted proxy's x-forwarded-for the function gets %s", async (_what, lines, expected) => {
  expect((await told(behindProxy, "/function/f/", lines)).for).toBe(expected);
  expect((await told(alone, "/function/f/", lines)).for).toBe("127.0.0.1");
});

test("of a body that streams, and of one on a connection that node:http reads, it is the same", async () => {
  const chunked = ["Transfer-Encoding: chunked\r\n\r\n0"];
  expect((await told(alone, "/function/f/", [...CLAIMS, ...chunked])).url).toEqual(OWN);
  expect((await told(behindProxy, "/function/f/", [...CLAIMS, ...chunked])).url).toEqual(["https", "shop.example", "/api/function/f", "443"]);
});

test("an invocation that one router passes on to another is told what the first one believed", async () => {
  const before = seen.length;
  for (const router of pair) {
    expect((await told(router, "/function/f/", CLAIMS)).url).toEqual(["https", "shop.example", "/api/function/f", "443"]);
    expect((await told(router, "/function/f/")).url).toEqual(OWN);
  }
  expect(seen.slice(before).filter((headers) => headers["x-forwarded-for"] === "127.0.0.1, 127.0.0.1")).toHaveLength(2);
  const lists: (string | undefined)[] = [];
  for (const router of pair) lists.push((await told(router, "/function/f/", ["x-forwarded-for: 1.1.1.1, 9.9.9.9"])).for);
  expect(lists.sort()).toEqual(["9.9.9.9, 127.0.0.1", "9.9.9.9, 127.0.0.1, 127.0.0.1"]);
});

test("what a router does not believe reaches no other router", async () => {
  const functions = [functionAt([(instance.address() as AddressInfo).port])];
  const unbelieving = [await startRouted(functions), await startRouted(functions)];
  for (const { tell } of unbelieving) tell({ type: "routers", routers: unbelieving.map(({ self }) => self) });
  for (const router of unbelieving) expect((await told(router, "/function/f/", CLAIMS)).url).toEqual(OWN);
  for (const router of unbelieving) expect((await told(router, "/function/f/", ["x-forwarded-for: 9.9.9.9"])).for).not.toContain("9.9.9.9");
  // A client that knows no router's id cannot speak as one.
  for (const router of unbelieving) expect((await told(router, "/function/f/", ["x-berth-hop: 00000000", ...CLAIMS])).url).toEqual(OWN);
  await Promise.all(unbelieving.map((router) => router.close()));
});
