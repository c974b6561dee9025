import { connect } from "node:net";
import type { Writable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { lambdaHandle } from "../../../../../runtime-images/node/signatures/lambda.ts";
import { defineAwslambda } from "../../../../../runtime-images/node/signatures/lambda-stream.ts";
import { until } from "../../../../helpers/berth.ts";
import { platformHeaders, Served } from "../../../../helpers/signature.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(handler: (event: never, context: never, callback: never) => unknown, format: "1.0" | "2.0" = "2.0"): Promise<Served> {
  const settings = { entry: "index.mjs", handler: null, signature: null, concurrency: 1, timeoutMs: 5000 };
  const served = await Served.start(lambdaHandle(handler, { file: "", functionName: "f", revision: "r1", settings, env: {} }, format));
  closing.push(() => served.close());
  return served;
}

/** A function that answers with the event it got. */
async function events(): Promise<(...args: Parameters<Served["ask"]>) => Promise<Record<string, unknown>>> {
  const served = await serve((event) => ({ statusCode: 200, body: JSON.stringify(event) }));
  return async (...args) => JSON.parse(String((await served.ask(...args)).body));
}

describe("payload format 1.0", () => {
  test("has names as they were sent, all values of each, and null for missing parts", async () => {
    const served = await serve((event) => ({ statusCode: 200, body: JSON.stringify(event) }), "1.0");
    const ask = async (...args: Parameters<Served["ask"]>) => JSON.parse(String((await served.ask(...args)).body));
    const event = await ask("//host/a%2Fb/../c?a=1&b=x%20y&a=2", { headers: { "X-One": "1", "x-forwarded-for": "1.1.1.1, 2.2.2.2" } });
    expect([event.version, event.httpMethod, event.path, event.body, event.isBase64Encoded]).toEqual(["1.0", "GET", "//host/a%2Fb/../c", null, false]);
    expect([event.queryStringParameters, event.multiValueQueryStringParameters]).toEqual([
      { a: "2", b: "x y" },
      { a: ["1", "2"], b: ["x y"] },
    ]);
    expect([event.headers["X-One"], event.multiValueHeaders["X-One"], event.requestContext.identity.sourceIp]).toEqual(["1", ["1"], "1.1.1.1"]);
    expect(event.requestContext.requestTime).toMatch(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/);
    const plain = await ask("/", { method: "POST", body: Buffer.from([255, 0]) });
    expect([plain.queryStringParameters, plain.multiValueQueryStringParameters, plain.stageVariables]).toEqual([null, null, null]);
    expect([plain.isBase64Encoded, plain.body]).toEqual([true, Buffer.from([255, 0]).toString("base64")]);
  });

  test("requires a statusCode, and merges the headers of both kinds", async () => {
    const united = await serve(
      () => ({ statusCode: 200, headers: { "x-a": "1", "x-b": "b" }, multiValueHeaders: { "x-a": ["2", "3"], "Set-Cookie": ["a=1", "b=2"] } }),
      "1.0",
    );
    const { headers } = await united.ask("/");
    expect([headers["x-a"], headers["x-b"], headers["set-cookie"]]).toEqual(["2, 3, 1", "b", ["a=1", "b=2"]]);
    const { status, body } = await (await serve(() => ({ a: 1 }), "1.0")).ask("/");
    expect([status, JSON.parse(String(body)).error.message]).toEqual([500, "the result has no statusCode, which payload format 1.0 requires"]);
  });
});

describe("an event of payload format 2.0", () => {
  test("has the path and the query as they were sent, and joins the values of one name", async () => {
    const ask = await events();
    const event = await ask("//host/a%2Fb/../c?a=1&b=x%20y&a=2&__proto__=p");
    expect([event.rawPath, event.rawQueryString]).toEqual(["//host/a%2Fb/../c", "a=1&b=x%20y&a=2&__proto__=p"]);
    expect(Object.entries(event.queryStringParameters as object)).toEqual([
      ["a", "1,2"],
      ["b", "x y"],
      ["__proto__", "p"],
    ]);
  });

  test("has the complete body of a request without a length", async () => {
    const ask = await events();
    const { body } = await ask("/", { method: "POST", headers: { "transfer-encoding": "chunked" }, body: "é".repeat(100_000) });
    expect(body).toBe("é".repeat(100_000));
  });

  test("is not made if the client leaves in the middle of the body", async () => {
    let called = 0;
    const served = await serve(() => {
      called += 1;
    });
    const socket = connect(served.port, "127.0.0.1");
    socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf", () => socket.destroySoon());
    await until(() => served.settled === 1, "the invocation has settled");
    expect(called).toBe(0);
  });

  test("omits missing parts", async () => {
    const ask = await events();
    const event = await ask("/");
    expect(Object.keys(event).sort()).toEqual(["headers", "isBase64Encoded", "rawPath", "rawQueryString", "requestContext", "routeKey", "version"]);
    expect((await ask("/", { headers: { cookie: "a=1;b=2; c=3" } })).cookies).toEqual(["a=1", "b=2", "c=3"]);
    expect((event.requestContext as { time: string }).time).toMatch(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/);
  });

  test.each([
    ["bytes that are no text, without a type", Buffer.from("\x89PNG\xff", "latin1"), {}],
    ["latin-1 that calls itself text", Buffer.from("caf\xe9", "latin1"), { "content-type": "text/plain" }],
    ["a coded body", gzipSync("{}"), { "content-type": "application/json", "content-encoding": "gzip" }],
    ["a coded body that happens to be text", Buffer.from("abc"), { "content-type": "text/plain", "content-encoding": "br" }],
    ["a type that is none of text", Buffer.from("abc"), { "content-type": "application/octet-stream" }],
  ] as [string, Buffer, Record<string, string>][])("carries %s as base64", async (_what, bytes, headers) => {
    const ask = await events();
    const event = await ask("/", { method: "POST", headers, body: bytes });
    expect([event.isBase64Encoded, Buffer.from(String(event.body), "base64").equals(bytes)]).toEqual([true, true]);
  });

  test.each(["Application/JSON; charset=utf-8", "TEXT/html", "application/vnd.x+json", "application/x-www-form-urlencoded"])(
    "carries %s as text",
    async (type) => {
      const ask = await events();
      const event = await ask("/", { method: "POST", headers: { "content-type": type, "content-encoding": "identity" }, body: "né" });
      expect([event.isBase64Encoded, event.body]).toEqual([false, "né"]);
    },
  );
});

describe("a result", () => {
  test("omits headers without a value, and cannot set the platform's", async () => {
    const served = await serve(() => ({ statusCode: "201", headers: { "x-a": undefined, "x-b": null, "x-c": 0, "x-berth-error": "FAKE" }, body: "x" }));
    const answer = await served.ask("/");
    expect([answer.status, answer.headers["x-a"], answer.headers["x-b"], answer.headers["x-c"], platformHeaders(answer)]).toEqual([
      201,
      undefined,
      undefined,
      "0",
      [],
    ]);
  });

  test.each([999, 99, 101, "abc", 200.5, null])("whose status is %j is an error that says so", async (statusCode) => {
    const served = await serve(() => ({ statusCode, body: "x" }));
    const { status, body } = await served.ask("/");
    // Null counts as left out.
    if (statusCode === null) return expect(status).toBe(200);
    expect([status, JSON.parse(String(body)).error.message]).toEqual([500, `statusCode ${JSON.stringify(statusCode)} is not a status from 200 to 599`]);
  });

  test("that is missing because a named export is a handler for (req, res) is an error with the way to deploy it", async () => {
    const served = await serve((_req, res: { end(text: string): void }) => res.end("x"));
    expect(JSON.parse(String((await served.ask("/")).body)).error.message).toMatch(/^res\.end is not a function; .* is deployed with --signature node$/);
  });

  test("keeps cookies from its headers beside those from its field cookies", async () => {
    const cookies = async (result: object) => (await (await serve(() => ({ statusCode: 200, ...result }))).ask("/")).headers["set-cookie"];
    expect(await cookies({ cookies: ["a=1; Path=/", "b=2"], headers: { "Set-Cookie": "c=3" } })).toEqual(["c=3", "a=1; Path=/", "b=2"]);
    expect(await cookies({ cookies: ["a=1"], multiValueHeaders: { "set-cookie": ["c=3", "d=4"] } })).toEqual(["c=3", "d=4", "a=1"]);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["in characters instead of bytes", { headers: { "Content-Length": 2 }, body: "hé" }, "hé"],
    ["of more than there is", { headers: { "content-length": "100" }, body: "x" }, "x"],
    ["of a body that there is not", { headers: { "content-length": "100" } }, ""],
    ["of its base64", { headers: { "content-length": "4" }, body: "aGk=", isBase64Encoded: true }, "hi"],
    ["in several headers", { multiValueHeaders: { "Content-Length": ["5"] }, body: "x" }, "x"],
    ["beside a coding of the connection", { headers: { "Transfer-Encoding": "chunked" }, body: "x" }, "x"],
  ])("that tells its length %s is sent whole", async (_what, result, body) => {
    const answer = await (await serve(() => ({ statusCode: 200, ...result }))).ask("/");
    expect([answer.headers["content-length"], String(answer.body)]).toEqual([String(Buffer.byteLength(body)), body]);
  });

  test("without a body for HEAD has the length that GET has", async () => {
    const served = await serve(() => ({ statusCode: 200, headers: { "content-length": "100" } }));
    expect((await served.ask("/", { method: "HEAD" })).headers["content-length"]).toBe("100");
  });

  test("may come by callback, or from a promise of another library", async () => {
    const byCallback = await serve((_event, _context, callback) => void setTimeout(callback as () => void, 10, null, { statusCode: 202 }));
    expect((await byCallback.ask("/")).status).toBe(202);
    // biome-ignore lint/suspicious/noThenProperty: a promise of another library is such an object
    const thenable = await serve(() => ({ then: (done: (value: unknown) => void) => done({ statusCode: 203 }) }));
    expect((await thenable.ask("/")).status).toBe(203);
  });
});

describe("a context", () => {
  test("has what Lambda's runtime for Node 24 gives", async () => {
    const served = await serve((_event, context) => Object.entries(context).map(([name, value]) => `${name}: ${typeof value}`));
    const { body } = await served.ask("/");
    expect(JSON.parse(String(body))).toEqual([
      "callbackWaitsForEmptyEventLoop: boolean",
      "functionName: string",
      "functionVersion: string",
      "invokedFunctionArn: string",
      "memoryLimitInMB: string",
      "awsRequestId: string",
      "logGroupName: string",
      "logStreamName: string",
      "getRemainingTimeInMillis: function",
    ]);
  });
});

describe("awslambda.streamifyResponse", () => {
  type Stream = NodeJS.WritableStream & { setContentType(type: string): void };
  interface Awslambda {
    streamifyResponse(handler: (event: never, stream: Stream, context: never) => unknown): never;
    HttpResponseStream: { from(stream: Stream, metadata: object): Stream };
  }
  defineAwslambda();
  const { awslambda } = globalThis as unknown as { awslambda: Awslambda };

  test("streams with the status and headers of its metadata", async () => {
    const served = await serve(
      awslambda.streamifyResponse(async (_event, stream) => {
        const out = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { "content-type": "text/event-stream" }, cookies: ["a=1"] });
        out.write("first ");
        await new Promise((done) => setTimeout(done, 300));
        out.end("last");
      }),
    );
    const { status, headers, body, headMs, endMs } = await served.ask("/");
    expect([status, headers["content-type"], headers["set-cookie"], String(body)]).toEqual([201, "text/event-stream", ["a=1"], "first last"]);
    expect(endMs - headMs).toBeGreaterThan(200);
  });

  test("has a content type of its own, and an error before its first piece is a 500", async () => {
    const plain = await serve(awslambda.streamifyResponse((_event, stream) => void stream.end("x")));
    expect((await plain.ask("/")).headers["content-type"]).toBe("application/octet-stream");
    const failing = await serve(awslambda.streamifyResponse(() => Promise.reject(new Error("no luck"))));
    expect((await failing.ask("/")).status).toBe(500);
    const broken = await serve(awslambda.streamifyResponse((_event, stream) => void (stream as unknown as Writable).destroy(new Error("upstream broke"))));
    const { status, body } = await broken.ask("/");
    expect([status, JSON.parse(String(body)).error.message]).toEqual([500, "upstream broke"]);
  });
});
