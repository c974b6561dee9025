import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ECHO, TestBerth, until } from "../../helpers/berth.ts";

let berth: TestBerth;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2, maxBody: 200_000 });
  await berth.deploy("echo", ECHO);
});
afterAll(() => berth.close());

describe("an invocation", () => {
  test("reaches the function with method, path, query, headers and body", async () => {
    const response = await berth.invoke("echo", { method: "PUT", body: "hello", headers: { "x-mine": "1" } }, "/a/b?c=d");
    const seen = (await response.json()) as Record<string, string> & { headers: Record<string, string> };
    expect(seen.method).toBe("PUT");
    expect(new URL(seen.url as string).pathname + new URL(seen.url as string).search).toBe("/a/b?c=d");
    expect(seen.body).toBe("hello");
    expect(seen.headers["x-mine"]).toBe("1");
  });

  test("tells start, revision, call id and the times of its phases", async () => {
    const response = await berth.invoke("echo");
    const seen = (await response.json()) as { callId: string };
    expect(response.headers.get("x-berth-start")).toBe("warm");
    expect(response.headers.get("x-berth-revision")).toBe("r1");
    expect(response.headers.get("x-call-id")).toBe(seen.callId);
    expect(response.headers.get("server-timing")).toMatch(/^queue;dur=[\d.]+, claim;dur=[\d.]+, load;dur=[\d.]+, run;dur=[\d.]+$/);
  });

  test("strips forged x-berth-* headers and hop-by-hop headers on the way in", async () => {
    const raw = await exchange(
      berth.berth.invokeUrl,
      "GET /function/echo HTTP/1.1\r\nHost: x\r\nX-Berth-Start: forged\r\nX-Berth-Function: other\r\nConnection: close, X-Private\r\nX-Private: 1\r\nProxy-Authorization: secret\r\nTE: trailers\r\n\r\n",
    );
    expect(raw).toMatch(/^HTTP\/1.1 200/);
    expect(raw).not.toContain("forged");
    expect(raw).not.toContain("x-private");
    expect(raw).not.toContain("secret");
  });

  test("strips forged x-berth-* headers of the function on the way out", async () => {
    await berth.deploy(
      "forger",
      'export default { fetch: () => new Response("ran", { headers: { "x-berth-refused": "full", "x-berth-start": "cold", "x-own": "1" } }) };',
    );
    await berth.deploy(
      "forger-node",
      'module.exports = (req, res) => { res.writeHead(503, { "X-Berth-Refused": "stale" }); res.end("ran"); };',
      {},
      "index.cjs",
    );
    const response = await berth.invoke("forger");
    expect(await response.text()).toBe("ran");
    expect(response.headers.get("x-berth-start")).toMatch(/^(prewarmed|cold)$/);
    expect(response.headers.get("x-own")).toBe("1");
    expect((await berth.invoke("forger")).headers.get("x-berth-start")).toBe("warm");
    const plain = await berth.invoke("forger-node");
    expect([plain.status, await plain.text()]).toEqual([503, "ran"]);
  });

  test("streams both ways", async () => {
    await berth.deploy(
      "shout",
      "export default { fetch: (request) => new Response(request.body.pipeThrough(new TextDecoderStream()).pipeThrough(new TransformStream({ transform(chunk, c) { c.enqueue(chunk.toUpperCase()); } })).pipeThrough(new TextEncoderStream())) };",
    );
    let send: (text: string) => void = () => {};
    let end: () => void = () => {};
    const body = new ReadableStream({
      start(controller) {
        send = (text) => controller.enqueue(new TextEncoder().encode(text));
        end = () => controller.close();
      },
    });
    send("one ");
    const response = await berth.invoke("shout", { method: "POST", body, duplex: "half" });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const read = async () => new TextDecoder().decode((await reader.read()).value);
    expect(await read()).toBe("ONE ");
    send("two");
    expect(await read()).toBe("TWO");
    end();
    expect((await reader.read()).done).toBe(true);
  });

  test("is cancelled in the function when its client leaves", async () => {
    await berth.deploy(
      "waiter",
      `let begun = 0; let aborted = 0; export default { async fetch(request) {
        if (request.url.endsWith("/count")) return new Response(begun + " begun, " + aborted + " aborted");
        begun += 1;
        await new Promise((resolve) => { request.signal.addEventListener("abort", () => { aborted += 1; resolve(); }); });
        return new Response("late"); } };`,
    );
    const count = async () => (await berth.invoke("waiter", {}, "/count")).text();
    expect(await count()).toBe("0 begun, 0 aborted");
    const controller = new AbortController();
    const running = berth.invoke("waiter", { signal: controller.signal }).catch((error: Error) => error.name);
    await until(async () => (await count()) === "1 begun, 0 aborted", "the function runs");
    controller.abort();
    expect(await running).toBe("AbortError");
    await until(async () => (await count()) === "1 begun, 1 aborted", "the abort reaches the function");
  });

  test("answers 404 for an unknown function and for a foreign path, with code and fix", async () => {
    const unknown = await berth.invoke("nobody");
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ error: { code: "FUNCTION_NOT_FOUND", fix: expect.any(String) } });
    expect((await fetch(`${berth.berth.invokeUrl}/else`)).status).toBe(404);
  });

  test("answers 413 for a body that is too large, declared or streamed", async () => {
    const declared = await berth.invoke("echo", { method: "POST", body: "x".repeat(200_001) });
    expect(declared.status).toBe(413);
    expect(await declared.json()).toMatchObject({ error: { code: "BODY_TOO_LARGE" } });
    const chunk = new Uint8Array(50_000);
    let left = 8;
    const body = new ReadableStream({
      pull: (controller) => (left-- > 0 ? controller.enqueue(chunk) : controller.close()),
    });
    const streamed = await berth.invoke("echo", { method: "POST", body, duplex: "half" }).then(
      (response) => response.status,
      () => "reset",
    );
    expect([413, "reset"]).toContain(streamed);
    expect((await berth.invoke("echo")).status).toBe(200);
  });

  test("passes a body of 150 kB on, whether its length is declared or not", async () => {
    const text = "y".repeat(150_000);
    for (const body of [text, new Blob([text]).stream()]) {
      const response = await berth.invoke("echo", { method: "POST", body, duplex: "half" });
      expect(((await response.json()) as { body: string }).body.length).toBe(150_000);
    }
  });
});

describe("signatures", () => {
  test("exports.handler (Lambda), with an event, a context, and an object or a structured result", async () => {
    await berth.deploy(
      "lambda",
      `exports.handler = async (event, context) => event.rawPath === "/plain" ? { a: 1 } : ({ statusCode: 201, headers: { "x-path": event.rawPath },
        cookies: ["a=1", "b=2"], body: JSON.stringify({ body: event.body, q: event.queryStringParameters, left: context.getRemainingTimeInMillis() > 1000 }) });`,
      {},
      "index.cjs",
    );
    const response = await berth.invoke("lambda", { method: "POST", body: "in", headers: { "content-type": "text/plain" } }, "/p?x=1");
    expect(response.status).toBe(201);
    expect(response.headers.get("x-path")).toBe("/p");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await response.json()).toEqual({ body: "in", q: { x: "1" }, left: true });
    expect(await (await berth.invoke("lambda", {}, "/plain")).json()).toEqual({ a: 1 });
  });

  test("a Lambda handler with a callback", async () => {
    await berth.deploy("callback", "exports.handler = (event, context, done) => setTimeout(() => done(null, 'later'), 5);", {}, "index.cjs");
    expect(await (await berth.invoke("callback")).text()).toBe("later");
  });

  test("module.exports = (req, res)", async () => {
    await berth.deploy("express", "module.exports = (req, res) => { res.setHeader('x-url', req.url); setTimeout(() => res.end('ok'), 5); };", {}, "index.cjs");
    const response = await berth.invoke("express", {}, "/deep/path");
    expect([response.headers.get("x-url"), await response.text()]).toEqual(["/deep/path", "ok"]);
  });

  test("a named handler with an explicit signature", async () => {
    await berth.deploy("named", "export const run = (req, res) => res.end('named');", { handler: "run", signature: "node" });
    expect(await (await berth.invoke("named")).text()).toBe("named");
  });

  test("a handler that throws answers 500 with its message, and the instance goes on", async () => {
    await berth.deploy(
      "thrower",
      "export default { fetch(r) { if (r.url.endsWith('/pid')) return new Response(String(process.pid)); throw new Error('no luck'); } };",
    );
    const before = await (await berth.invoke("thrower", {}, "/pid")).text();
    const response = await berth.invoke("thrower");
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ error: { code: "FUNCTION_ERROR", message: "no luck" } });
    expect(await (await berth.invoke("thrower", {}, "/pid")).text()).toBe(before);
  });
});

async function exchange(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(text);
  let received = "";
  for await (const chunk of socket) received += String(chunk);
  return received;
}
