import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { TestBerth, until } from "../helpers/berth.ts";
import { type Asked, ask, leave, REQUESTS } from "./requests.ts";
import { Direct, deploy } from "./subject.ts";

let berth: TestBerth;
let routerPort: number;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 4 });
  routerPort = Number(new URL(berth.berth.invokeUrl).port);
});
afterAll(() => berth.close());

const GRAPHQL = (query: string): Asked => ({
  method: "POST",
  path: "/graphql",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ query }),
});
const JSON_BODY = (path: string, body: unknown): Asked => ({
  method: "POST",
  path,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

const EVENT = { specversion: "1.0", id: "1", source: "/s", type: "t", time: "2026-01-31T12:00:00.000Z" };
const STRUCTURED_EVENT: Asked = { ...JSON_BODY("/", { ...EVENT, data: { a: 1 } }), headers: { "content-type": "application/cloudevents+json" } };
const BINARY_EVENT: Asked = {
  ...JSON_BODY("/", { a: 1 }),
  headers: { "content-type": "application/json", "ce-ext": "x", ...Object.fromEntries(Object.entries(EVENT).map(([name, value]) => [`ce-${name}`, value])) },
};

const OWN: Record<string, readonly Asked[]> = {
  yoga: [
    GRAPHQL('{ hello(name: "x") }'),
    GRAPHQL("{ fails }"),
    GRAPHQL("{ nothing }"),
    GRAPHQL("mutation { add(a: 1, b: 2) }"),
    { method: "GET", path: "/graphql?query=%7Bhello(name:%22y%22)%7D", headers: { accept: "application/json" } },
    { method: "GET", path: "/graphql", headers: { accept: "text/html" } },
  ],
  trpc: [
    { method: "GET", path: `/trpc/hello?input=${encodeURIComponent('{"name":"x"}')}` },
    { method: "GET", path: "/trpc/hello" },
    { method: "GET", path: "/trpc/fails" },
    { method: "GET", path: `/trpc/hello,fails?batch=1&input=${encodeURIComponent('{"0":{"name":"x"}}')}` },
    JSON_BODY("/trpc/add", { a: 1, b: 2 }),
    JSON_BODY("/trpc/add", { a: "1" }),
  ],
  "gcf-http": [
    { method: "GET", path: "/a/b?x=1&x=2" },
    JSON_BODY("/json", { a: [1, "ü"] }),
    { method: "POST", path: "/json", headers: { "content-type": "application/json" }, body: '{"a":' },
    { method: "POST", path: "/form", headers: { "content-type": "application/x-www-form-urlencoded" }, body: "a=1&b=x+y" },
    { method: "POST", path: "/bytes", headers: { "content-type": "application/octet-stream" }, body: "raw" },
    { method: "GET", path: "/throw" },
    { method: "GET", path: "/favicon.ico" },
    { method: "HEAD", path: "/" },
  ],
  "gcf-cloudevent": [
    BINARY_EVENT,
    STRUCTURED_EVENT,
    { ...BINARY_EVENT, headers: { ...BINARY_EVENT.headers, "ce-type": "fails" } },
    JSON_BODY("/", { no: "event" }),
  ],
  cloudevents: [BINARY_EVENT, STRUCTURED_EVENT],
};

/** Apps that answer by an error of their handler what they answer by a broken connection alone. */
const WITHOUT_COMMON = new Set(["cloudevents", "gcf-http", "gcf-cloudevent"]);

/** Apps whose routes are those of their schema: what they say of others is compared all the same. */
const SCHEMA_ONLY = new Set(["yoga", "trpc"]);

describe.each([
  ["express4", "express4.mjs"],
  ["express5", "express5.mjs"],
  ["fastify", "fastify.mjs"],
  ["koa", "koa.mjs"],
  ["hono", "hono.mjs"],
  ["h3", "h3.mjs"],
  ["nest", "nest/app.ts"],
  ["yoga", "yoga.mjs"],
  ["trpc", "trpc.mjs"],
  ["cloudevents", "cloudevents.mjs"],
  ["gcf-http", "gcf-http.mjs"],
  ["gcf-cloudevent", "gcf-cloudevent.mjs"],
])("%s answers as it does alone", (name, file) => {
  let direct: Direct;
  beforeAll(async () => {
    [direct] = await Promise.all([Direct.start(file), deploy(berth, file, name)]);
    if (WITHOUT_COMMON.has(name)) return;
    await ask(routerPort, `/function/${name}`, { method: "GET", path: "/hello" });
    await ask(direct.port, "", { method: "GET", path: "/hello" });
  });
  afterAll(() => direct?.close());

  const requests = [...(WITHOUT_COMMON.has(name) ? [] : REQUESTS), ...(OWN[name] ?? [])];
  test.each(requests.map((asked) => [asked.method, asked.path, (asked.body ?? "").slice(0, 40), asked] as const))(
    "%s %s %s",
    async (_method, _path, _body, asked) => {
      const both = async () => [await ask(routerPort, `/function/${name}`, asked), await ask(direct.port, "", asked)] as const;
      const [here, alone] = await both();
      expect({ ...here, firstMs: 0 }).toEqual({ ...alone, firstMs: 0 });
      let apartMs = Math.abs(here.firstMs - alone.firstMs);
      // Code that runs for the first time is compiled, here and there.
      for (let again = 0; again < 2 && apartMs > 250; again++) {
        const [later, aloneLater] = await both();
        apartMs = Math.abs(later.firstMs - aloneLater.firstMs);
      }
      expect(apartMs).toBeLessThan(250);
    },
  );

  if (WITHOUT_COMMON.has(name) || SCHEMA_ONLY.has(name)) return;
  test("a client that leaves is noticed, and nobody else notices", async () => {
    expect((await ask(routerPort, `/function/${name}`, { method: "GET", path: "/left" })).body).toBe("false");
    await leave(routerPort, `/function/${name}`, "/hang");
    await until(async () => (await ask(routerPort, `/function/${name}`, { method: "GET", path: "/left" })).body === "true", "the app has noticed");
  });
});

describe.each(["returns", "calls"])("gcf-event: a background function that %s its result", (target) => {
  let direct: Direct;
  beforeAll(async () => {
    [direct] = await Promise.all([
      Direct.startEvent("gcf-event.mjs", target),
      deploy(berth, "gcf-event.mjs", target, ["--signature", "event", "--handler", target]),
    ]);
  });
  afterAll(() => direct?.close());

  const context = { eventId: "1", timestamp: "2026-01-31T12:00:00.000Z", eventType: "t", resource: "r" };
  const google: Asked = {
    ...BINARY_EVENT,
    headers: { ...BINARY_EVENT.headers, "ce-type": "google.cloud.storage.object.v1.finalized", "ce-source": "//storage.googleapis.com/projects/_/buckets/b" },
  };
  const push = { subscription: "projects/p/subscriptions/s", message: { data: "aGk=", messageId: "7", publishTime: "2026-01-31T12:00:00.000Z" } };
  test.each<[string, Asked]>([
    ["an event with its context", JSON_BODY("/", { context, data: { a: "ü" } })],
    ["an event whose context is all but its data", JSON_BODY("/", { ...context, data: { a: 1 } })],
    ["an event without a result", JSON_BODY("/", { context: { ...context, eventType: "silent" }, data: 1 })],
    ["a structured CloudEvent", STRUCTURED_EVENT],
    ["a binary CloudEvent", BINARY_EVENT],
    ["a binary CloudEvent of bytes", { ...BINARY_EVENT, headers: { ...BINARY_EVENT.headers, "content-type": "x/y" } }],
    ["a CloudEvent of Google's", google],
    ["a message that Pub/Sub pushes", JSON_BODY("/projects/p/topics/t", push)],
  ])("%s", async (_what, asked) => {
    const [here, alone] = [await ask(routerPort, `/function/${target}`, asked), await ask(direct.port, "", asked)];
    expect({ ...here, firstMs: 0 }).toEqual({ ...alone, firstMs: 0 });
  });

  test.each<[string, Asked]>([
    ["that fails", JSON_BODY("/", { context: { ...context, eventType: "fails" }, data: 1 })],
    ["of broken JSON", { ...JSON_BODY("/", {}), body: '{"data":' }],
  ])("an event %s gets the same status", async (_what, asked) => {
    const [here, alone] = [await ask(routerPort, `/function/${target}`, asked), await ask(direct.port, "", asked)];
    expect([here.status >= 400, here.status]).toEqual([true, alone.status]);
  });
});

test("ws: messages go both ways, text and binary, and its close is a clean one", async () => {
  await deploy(berth, "ws.mjs", "sockets");
  const socket = new WebSocket(`ws://127.0.0.1:${routerPort}/function/sockets/room?x=1`);
  const got: string[] = [];
  socket.on("message", (data, isBinary) => got.push(`${isBinary ? "binary" : "text"} ${data}`));
  await new Promise((done) => socket.once("open", done));
  socket.send("hé");
  socket.send(Buffer.from("bytes"));
  await until(async () => got.length === 3, "all have come back");
  expect(got).toEqual(["text welcome to /room?x=1", "text hé", "binary bytes"]);
  const closed = new Promise((done) => socket.once("close", done));
  socket.close(4001, "bye");
  expect(await closed).toBe(4001);
});

test("express: an app that trusts the router before it redirects to itself", async () => {
  await deploy(berth, "public-url.mjs", "public-url");
  const { origin } = new URL(berth.berth.invokeUrl);
  const response = await fetch(`${origin}/function/public-url/login`, { headers: { "x-forwarded-proto": "https", "x-forwarded-host": "evil.example" } });
  expect([response.url, await response.json()]).toEqual([
    `${origin}/function/public-url/home?from=login`,
    { protocol: "http", secure: false, hostname: "127.0.0.1", from: "login" },
  ]);
});

test("middy and powertools: middlewares, context and logs are those of Lambda", async () => {
  await deploy(berth, "middy.mjs", "middy");
  const base = "/function/middy";
  const good = await ask(routerPort, base, JSON_BODY("/x?a=1&a=2", { n: 1 }));
  expect([good.status, JSON.parse(good.body)]).toEqual([200, { got: { n: 1 }, query: { a: "1,2" } }]);
  const broken = await ask(routerPort, base, { method: "POST", path: "/", headers: { "content-type": "application/json" }, body: "{" });
  expect(broken.status).toBeGreaterThanOrEqual(400);
  expect((await ask(routerPort, base, { method: "GET", path: "/throw" })).status).toBe(500);
  const logs = JSON.stringify(await berth.api.get("/v1/functions/middy/logs"));
  expect(logs).toContain("function_request_id");
});
