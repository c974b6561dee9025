import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { until } from "../../../../helpers/berth.ts";
import { platformHeaders } from "../../../../helpers/signature.ts";
import { closing, eachClosesServed, serve } from "../../../../helpers/subjects/served-fetch.ts";

eachClosesServed();

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

  test("that gives no valid URL is answered with 400, and reaches no handler", async () => {
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

  test("that the handler itself has encoded stays as it is", async () => {
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

  test.each<[string, () => Response, string]>([
    ["of another text", () => new Response("HELLO!", { headers: { "content-length": "5" } }), "HELLO!"],
    ["of more than there is", () => new Response("x", { headers: new Headers({ "Content-Length": "100" }) }), "x"],
    ["of a body that there is not", () => new Response(null, { headers: [["content-length", "100"]] }), ""],
    ["of other bytes", () => new Response(Buffer.from("hé"), { headers: { "Content-Length": "2" } }), "hé"],
  ])("with the length %s, as where headers are copied, is sent whole", async (_what, respond, body) => {
    const answer = await (await serve(respond)).ask("/");
    expect([answer.headers["content-length"], String(answer.body)]).toEqual([String(Buffer.byteLength(body)), body]);
  });

  test("for HEAD has the length that GET has", async () => {
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

  test("of another implementation of fetch is accepted", async () => {
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

  test("of another implementation, encoded by the handler itself, stays as it is", async () => {
    const zipped = gzipSync("hello");
    const served = await serve(() => ({ status: 200, headers: new Map([["content-encoding", "gzip"]]), body: new Blob([zipped]).stream() }));
    const { headers, body } = await served.ask("/");
    expect([headers["content-encoding"], body.equals(zipped)]).toEqual(["gzip", true]);
  });

  test("keeps several cookies, and cannot set the platform's headers", async () => {
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
