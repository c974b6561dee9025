import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { type FetchContext, fetchHandle } from "../../../../../runtime-images/node/signatures/fetch.ts";
import { until } from "../../../../helpers/berth.ts";
import { platformHeaders, Served } from "../../../../helpers/signature.ts";

/** What `fetch()` gives, before the adapter puts a class of its own in its place. */
const NativeResponse = globalThis.Response;

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(fetch: (request: Request, env: Record<string, string>, ctx: FetchContext) => unknown): Promise<Served> {
  const served = await Served.start(fetchHandle({ fetch }, { functionName: "f", env: { A: "1" } }));
  closing.push(() => served.close());
  return served;
}

const later = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

describe("a request", () => {
  test.each([
    ["//evil.example/a", "http://127.0.0.1:PORT//evil.example/a"],
    ["//", "http://127.0.0.1:PORT//"],
    ["/a%2Fb?x=1&x=2", "http://127.0.0.1:PORT/a%2Fb?x=1&x=2"],
    ["/a/../b", "http://127.0.0.1:PORT/b"],
    ["/?u=http://evil.example", "http://127.0.0.1:PORT/?u=http://evil.example"],
  ])("for %s keeps the host that it came for", async (path, url) => {
    const served = await serve((request) => Response.json({ url: request.url, host: new URL(request.url).host }));
    const { body } = await served.ask(path);
    const host = `127.0.0.1:${served.port}`;
    expect(JSON.parse(String(body))).toEqual({ url: url.replace("127.0.0.1:PORT", host), host });
  });

  test("that makes no URL is answered with 400, and reaches no handler", async () => {
    let called = 0;
    const served = await serve(() => {
      called += 1;
      return new Response();
    });
    for (const headers of [{ host: "a b" }, { host: "foo:99999" }]) {
      const { status, body } = await served.ask("/", { headers });
      expect([status, JSON.parse(String(body)).error.code]).toEqual([400, "REQUEST_INVALID"]);
    }
    expect(called).toBe(0);
  });

  test("has its method, headers and body", async () => {
    const served = await serve(async (request, env, ctx) => {
      const { method, headers } = request;
      return Response.json({ method, type: headers.get("Content-Type"), body: await request.text(), env, ctx: [ctx.callId, ctx.functionName] });
    });
    const { body } = await served.ask("/", { method: "PATCH", headers: { "content-type": "text/x" }, body: "hé" });
    expect(JSON.parse(String(body))).toEqual({ method: "PATCH", type: "text/x", body: "hé", env: { A: "1" }, ctx: ["call-1", "f"] });
  });

  test("is an instance of Request, can be cloned, streamed and made anew", async () => {
    const served = await serve(async (request) => {
      const copy = new Request(request.clone(), { headers: { "x-added": "1" } });
      let size = 0;
      for await (const piece of request.body ?? []) size += piece.length;
      return Response.json([request instanceof Request, copy.headers.get("x-added"), (await copy.text()).length, size]);
    });
    const { body } = await served.ask("/", { method: "POST", body: "x".repeat(100_000) });
    expect(JSON.parse(String(body))).toEqual([true, "1", 100_000, 100_000]);
  });
});

describe("a response", () => {
  test("that fetch() gave is relayed as it was decoded", async () => {
    const zipped = gzipSync("hello ".repeat(1000));
    const upstream = createServer((_req, res) =>
      res.writeHead(201, { "content-encoding": "gzip", "content-length": zipped.length, "x-a": "1" }).end(zipped),
    ).listen(0);
    closing.push(() => upstream.close());
    const { port } = upstream.address() as AddressInfo;
    const served = await serve(() => fetch(`http://127.0.0.1:${port}/`));
    const { status, headers, body } = await served.ask("/");
    expect([status, headers["x-a"], headers["content-encoding"], String(body)]).toEqual([201, "1", undefined, "hello ".repeat(1000)]);
  });

  test("that is coded by the handler itself stays as it is", async () => {
    const zipped = gzipSync("hello");
    const served = await serve(() => new Response(zipped, { headers: { "content-encoding": "gzip" } }));
    const { headers, body } = await served.ask("/");
    expect([headers["content-encoding"], body.equals(zipped)]).toEqual(["gzip", true]);
  });

  test("whose body comes late sends its headers at once", async () => {
    const served = await serve(
      () =>
        new Response(
          new ReadableStream({
            async pull(controller) {
              await later(600);
              controller.enqueue(new TextEncoder().encode("late"));
              controller.close();
            },
          }),
          { headers: { "content-type": "text/event-stream" } },
        ),
    );
    const { body, headMs, endMs } = await served.ask("/");
    expect(String(body)).toBe("late");
    expect(headMs).toBeLessThan(450);
    expect(endMs).toBeGreaterThan(550);
  });

  test.each([
    ["a string", () => "text", "fetch() returned string"],
    ["nothing", () => undefined, "fetch() returned undefined"],
    ["an error response", () => Response.error(), "Response.error()"],
    ["a throw", () => Promise.reject(new Error("no luck")), "no luck"],
    ["null thrown", () => Promise.reject(null), "null"],
  ])("cannot be %s: 500 that says so", async (_what, handler, message) => {
    const served = await serve(handler);
    const answer = await served.ask("/");
    const { error } = JSON.parse(String(answer.body));
    expect([answer.status, error.code, platformHeaders(answer)]).toEqual([500, "FUNCTION_ERROR", ["x-berth-error"]]);
    expect(error.message).toContain(message);
    await until(async () => served.settled === 1, "the invocation has settled");
  });

  const fetched = () => fetch("data:text/plain,hello");
  const streamed = () => new ReadableStream({ start: (controller) => controller.close() });
  const reading = async (response: Response) => {
    await response.text();
    return response;
  };
  const locking = (response: Response) => {
    response.body?.getReader();
    return response;
  };
  test.each<[string, () => unknown]>([
    ["its own text", () => reading(new Response("hello"))],
    ["what was fetched", async () => reading(await fetched())],
    ["a stream", () => reading(new Response(streamed()))],
    ["a text that somebody reads", () => locking(new Response("hello"))],
    ["what was fetched, and somebody reads", async () => locking(await fetched())],
    ["a stream that somebody reads", () => locking(new Response(streamed()))],
    ["the body of another that was read", async () => new Response((await reading(await fetched())).body)],
    ["the body of another that somebody reads", async () => new Response(locking(await fetched()).body, { headers: { "x-a": "1" } })],
  ])("cannot have a body that was read before: %s", async (_what, handler) => {
    const served = await serve(handler);
    for (const method of ["GET", "HEAD"]) {
      const answer = await served.ask("/", { method });
      expect([answer.status, platformHeaders(answer)]).toEqual([500, ["x-berth-error"]]);
      if (method === "HEAD") continue;
      const { error } = JSON.parse(String(answer.body));
      expect(error).toEqual({ code: "FUNCTION_ERROR", message: expect.stringMatching(/^fetch\(\) returned a Response whose body .* response\.clone\(\)/) });
    }
    await until(async () => served.settled === 2, "the invocations have settled");
  });

  test.each<[string, (body: ReadableStream) => Response]>([
    ["was fetched", (body) => new NativeResponse(body)],
    ["was asked for its body", (body) => [new Response(body)].filter((response) => response.body)[0] as Response],
  ])("that %s, and whose stream fails before its first byte, is the function's error", async (_what, responseOf) => {
    const served = await serve(() => responseOf(new ReadableStream({ pull: () => Promise.reject(new Error("no upstream")) })));
    const answer = await served.ask("/");
    expect([answer.status, platformHeaders(answer)]).toEqual([500, ["x-berth-error"]]);
    expect(JSON.parse(String(answer.body)).error).toEqual({ code: "FUNCTION_ERROR", message: expect.stringContaining("no upstream") });
    await until(async () => served.settled === 1, "the invocation has settled");
  });

  test.each<[string, (...args: never[]) => unknown]>([
    ["fetch() returned undefined, not a Response", () => {}],
    ["args[1].end is not a function", (...args: { end(text: string): void }[]) => (args[1] as { end(text: string): void }).end("x")],
    ["res.status is not a function", async (_req: unknown, res: { status(code: number): unknown } = {} as never) => res.status(200)],
    ["next is not a function", (_req: unknown, _res?: unknown, next?: () => void) => (next as () => void)()],
  ])("that a handler for (req, res) does not give is told with the way to deploy it: %s", async (message, handler) => {
    const served = await Served.start(fetchHandle(handler, { functionName: "f", env: {} }));
    closing.push(() => served.close());
    const told = JSON.parse(String((await served.ask("/")).body)).error.message;
    expect(told).toBe(`${message}; a handler that is called as (req, res) and answers by itself is deployed with --signature node`);
  });

  test("that an object's fetch does not give is told as it is, and so are other errors of a function alone", async () => {
    const named = await serve((_request, env) => (env as unknown as { end(): void }).end());
    const bare = await Served.start(fetchHandle(() => (undefined as never as () => void)(), { functionName: "f", env: {} }));
    closing.push(() => bare.close());
    for (const served of [named, bare]) {
      const told = JSON.parse(String((await served.ask("/")).body)).error.message;
      expect(told).toMatch(/is not a function$/);
    }
  });

  test.each<[string, () => Response, string]>([
    ["of another text", () => new Response("HELLO!", { headers: { "content-length": "5" } }), "HELLO!"],
    ["of more than there is", () => new Response("x", { headers: new Headers({ "Content-Length": "100" }) }), "x"],
    ["of a body that there is not", () => new Response(null, { headers: [["content-length", "100"]] }), ""],
    ["of other bytes", () => new Response(Buffer.from("hé"), { headers: { "Content-Length": "2" } }), "hé"],
  ])("with the length %s, as where headers are copied, is sent whole", async (_what, respond, body) => {
    const answer = await (await serve(respond)).ask("/");
    expect([answer.headers["content-length"], String(answer.body)]).toEqual([String(Buffer.byteLength(body)), body]);
  });

  test("for HEAD tells the length of what GET has", async () => {
    const served = await serve(() => new Response(null, { headers: { "content-length": "100" } }));
    expect((await served.ask("/", { method: "HEAD" })).headers["content-length"]).toBe("100");
  });

  test.each<[string, () => Response]>([
    ["a text", () => new Response("x", { headers: { "x-name": "é✓" } })],
    ["a stream", () => new Response(new ReadableStream({ pull: (c) => c.close() }), { headers: { "x-name": "é✓" } })],
  ])("whose headers cannot be sent, with %s, is a 500 in the usual shape", async (_what, respond) => {
    const { status, body } = await (await serve(respond)).ask("/");
    expect([status, JSON.parse(String(body)).error]).toEqual([500, { code: "FUNCTION_ERROR", message: expect.stringContaining("x-name") }]);
  });

  test("of another implementation of fetch is taken", async () => {
    class OtherResponse {
      status = 203;
      headers = new Map([["x-a", "1"]]);
      body = null;
    }
    const served = await serve(() => new OtherResponse());
    const { status, headers } = await served.ask("/");
    expect([status, headers["x-a"]]).toEqual([203, "1"]);
  });

  test("of another implementation, whose body is a stream of its own, is sent whole", async () => {
    const web = (chunks: Uint8Array[]) => ({
      getReader: () => ({ read: async () => ({ done: chunks.length === 0, value: chunks.shift() }), cancel: async () => {} }),
    });
    // GraphQL Yoga's are Node's streams that pass for web streams.
    const both = new Proxy(Readable.from(["not", "this"]), {
      get: (target, name) => (name === "getReader" ? web([Buffer.from("first "), Buffer.from("second")]).getReader : Reflect.get(target, name)),
    });
    for (const body of [both, web([Buffer.from("first "), Buffer.from("second")]), Readable.from([Buffer.from("first "), Buffer.from("second")])]) {
      const served = await serve(() => ({ status: 201, statusText: "", headers: new Headers({ "x-own": "1" }), body }));
      const { status, headers, body: got } = await served.ask("/");
      expect([status, headers["x-own"], String(got)]).toEqual([201, "1", "first second"]);
    }
  });

  test("of another implementation, coded by the handler itself, stays as it is", async () => {
    const zipped = gzipSync("hello");
    const served = await serve(() => ({ status: 200, headers: new Map([["content-encoding", "gzip"]]), body: new Blob([zipped]).stream() }));
    const { headers, body } = await served.ask("/");
    expect([headers["content-encoding"], body.equals(zipped)]).toEqual(["gzip", true]);
  });

  test("keeps several cookies, and cannot carry the platform's headers", async () => {
    const served = await serve(() => {
      const headers = new Headers({ "X-Berth-Refused": "full", "x-b": "2" });
      for (const cookie of ["a=1", "b=2"]) headers.append("set-cookie", cookie);
      return new Response("x", { headers });
    });
    const answer = await served.ask("/");
    expect([answer.headers["set-cookie"], answer.headers["x-b"], platformHeaders(answer)]).toEqual([["a=1", "b=2"], "2", []]);
  });

  test("whose client leaves is cancelled, and the signal says so", async () => {
    let cancelled = 0;
    const served = await serve(async (request) => {
      request.signal.addEventListener("abort", () => {
        cancelled += 1;
      });
      return new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode("first")),
          cancel: () => {
            cancelled += 1;
          },
        }),
      );
    });
    const socket = connect(served.port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(socket, "data");
    socket.destroy();
    await until(async () => cancelled === 2 && served.settled === 1, "both have heard of it");
  });

  test("ends before the work that waitUntil was given, and that belongs to the invocation", async () => {
    let done = false;
    const served = await serve((_request, _env, ctx) => {
      ctx.waitUntil(
        later(200).then(() => {
          done = true;
        }),
      );
      ctx.waitUntil(Promise.reject(new Error("background")));
      ctx.passThroughOnException();
      return new Response("at once");
    });
    expect(String((await served.ask("/")).body)).toBe("at once");
    expect([done, served.settled]).toEqual([false, 0]);
    await until(async () => served.settled === 1, "the invocation has settled");
    expect(done).toBe(true);
  });
});

const STREAM = () =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("s"));
      controller.close();
    },
  });

test.each<[string, () => Response, string | undefined]>([
  ["text", () => new Response("t"), "text/plain; charset=UTF-8"],
  ["text beside other headers", () => new Response("t", { headers: { a: "b" } }), "text/plain;charset=UTF-8"],
  ["text beside other headers, as a list", () => new Response("t", { headers: [["a", "b"]] }), "text/plain;charset=UTF-8"],
  ["text of a type of its own", () => new Response("t", { headers: { "Content-Type": "a/b" } }), "a/b"],
  ["bytes", () => new Response(new Uint8Array([1])), undefined],
  ["bytes beside other headers", () => new Response(new Uint8Array([1]), { headers: new Headers({ a: "b" }) }), undefined],
  ["bytes of an ArrayBuffer", () => new Response(new ArrayBuffer(3)), undefined],
  ["a blob", () => new Response(new Blob(["<p>"], { type: "text/html" })), "text/html"],
  ["a blob without a type", () => new Response(new Blob(["x"])), undefined],
  ["a stream", () => new Response(STREAM()), undefined],
  ["a stream of Node's own response", () => new NativeResponse(STREAM(), { headers: { a: "b" } }), undefined],
  ["a form", () => new Response(new URLSearchParams({ a: "b" })), "application/x-www-form-urlencoded;charset=UTF-8"],
  ["nothing", () => new Response(null), undefined],
  ["JSON", () => Response.json(1), "application/json"],
])("a response of %s has the type that Fetch gives it", async (_what, make, type) => {
  const served = await serve(make);
  const { status, headers } = await served.ask("/");
  expect([status, headers["content-type"]]).toEqual([200, type]);
});
