import { once } from "node:events";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ECHO, sleep, TestBerth, until } from "../../helpers/berth.ts";
import { sendRaw, statuses } from "../../helpers/requests/raw-http.ts";

let berth: TestBerth;
let url: string;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2, domain: "fn.test", maxBody: 100_000 });
  url = berth.berth.invokeUrl;
  await berth.deploy("echo", ECHO);
  await (await berth.invoke("echo")).text();
  const node = `module.exports = (req, res) => {
    if (req.url === "/gzip") return res.writeHead(200, { "content-encoding": "gzip" }).end(require("node:zlib").gzipSync("packed"));
    if (req.url === "/trailers") { res.writeHead(200, { trailer: "x-sum" }); res.write("body"); res.addTrailers({ "x-sum": "1" }); return res.end(); }
    if (req.url === "/empty") return res.writeHead(204).end();
    if (req.url === "/head") return res.writeHead(200, { "content-length": "1234", "x-method": req.method }).end();
    if (req.url === "/lengthless") { res.write("a"); return setTimeout(() => res.end("b"), 20); }
    if (req.url === "/rude") return res.writeHead(200, { connection: "x-secret, keep-alive", "x-secret": "1", "x-berth-refused": "stale" }).end("polite");
    const parts = []; req.on("data", (part) => parts.push(part)); req.on("end", () => res.end(JSON.stringify({ headers: req.headers, trailers: req.trailers, body: Buffer.concat(parts).toString("hex") })));
  };`;
  await berth.deploy("node", node, {}, "index.cjs");
  await (await berth.invoke("node")).text();
});
afterAll(() => berth.close());

const POST = "POST /function/echo HTTP/1.1\r\nHost: x\r\n";
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n`;

describe("requests", () => {
  test("the whole URL in the request line", async () => {
    const text = await sendRaw(url, ["GET http://x/function/echo/a?b=c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"]);
    expect(text).toContain('"url":"http://x/a?b=c"');
  });

  test("a Host below the domain names the function, and the whole path is its own", async () => {
    const text = await sendRaw(url, ["GET /function/other HTTP/1.1\r\nHost: Echo.fn.test:80\r\nConnection: close\r\n\r\n"]);
    expect(text).toContain('"url":"http://echo.fn.test/function/other"');
    expect(statuses(await sendRaw(url, ["GET / HTTP/1.1\r\nHost: nobody.fn.test\r\nConnection: close\r\n\r\n"]))).toEqual([404]);
  });

  test("Expect: 100-continue is answered before the body comes; another expectation is refused", async () => {
    const text = await sendRaw(url, [`${POST}Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n`, "ok"], 2000, 200);
    expect(statuses(text)).toEqual([100, 200]);
    expect(text).toContain('"body":"ok"');
    expect(statuses(await sendRaw(url, [`${POST}Expect: more\r\nContent-Length: 1\r\n\r\na`], 500))).toEqual([417]);
  });

  test("an expectation is met only where the body is wanted: a client need not send one that is refused", async () => {
    const refused = (path: string, length: number) =>
      sendRaw(url, [`POST ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`]);
    expect(statuses(await refused("/function/nobody", 2))).toEqual([404]);
    expect(statuses(await refused("/function/echo", 100_001))).toEqual([413]);
  });

  test("a request behind an answer that ends the connection is not run", async () => {
    await berth.deploy("counter", "let runs = 0; export default () => new Response(String(++runs));");
    const refused = "POST /function/nobody HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    const text = await sendRaw(url, [`${refused}POST /function/counter HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`]);
    expect([statuses(text), text]).toEqual([[404], expect.stringMatching(/^connection: close\r?$/im)]);
    expect(await (await berth.invoke("counter")).text()).toBe("1");
  });

  test("pipelined requests are answered in order on one connection", async () => {
    const get = (path: string, more = "") => `GET /function/echo/${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const text = await sendRaw(url, [get("1") + get("2") + get("3", "Connection: close\r\n")], 2000);
    expect([...text.matchAll(/"url":"http:\/\/x\/(\d)"/g)].map((match) => match[1])).toEqual(["1", "2", "3"]);
  });

  test("plain requests and others share a connection, wherever their bytes are cut", async () => {
    const post = (path: string, rest: string) => `POST /function/echo/${path} HTTP/1.1\r\nHost: x\r\n${rest}`;
    const bytes = [
      post("1", "Content-Length: 2\r\n\r\nab"),
      post("2", "Transfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\n\r\n"),
      post("3", "Content-Length: 2\r\n\r\nef"),
      post("4", "Connection: close\r\n\r\n"),
    ].join("");
    for (const cut of [1, 30, 60, 68, 69, 100, 150, 220]) {
      const text = await sendRaw(url, [bytes.slice(0, cut), bytes.slice(cut)], 2000);
      expect([...text.matchAll(/"url":"http:\/\/x\/(\d)"/g)].map((match) => match[1])).toEqual(["1", "2", "3", "4"]);
      expect([...text.matchAll(/"body":"(\w*)"/g)].map((match) => match[1])).toEqual(["ab", "cd", "ef", ""]);
    }
  });

  test("a client that sends ahead and does not read is not read either", async () => {
    const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1" });
    socket.pause();
    const one = "GET /function/none HTTP/1.1\r\nHost: x\r\n\r\n";
    const many = Buffer.from(one.repeat(2000));
    let sent = 0;
    for (; sent < 2000; sent++) {
      if (socket.write(many)) continue;
      const drained = await Promise.race([once(socket, "drain"), sleep(500)]);
      if (drained === undefined) break;
    }
    expect(sent).toBeLessThan(2000);
    socket.destroy();
  });

  test("trailers are dropped, both ways", async () => {
    const bytes =
      "POST /function/node HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: x-t\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\nx-t: 1\r\n\r\n";
    const text = await sendRaw(url, [bytes]);
    expect(text).toContain('"trailers":{}');
    expect(text).toContain('"body":"61"');
    const answer = await sendRaw(url, ["GET /function/node/trailers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"]);
    expect(answer).toContain("body");
    expect(answer).not.toContain("x-sum: 1");
  });

  test("hop-by-hop headers and those that Connection names stay here", async () => {
    const bytes =
      "GET /function/node HTTP/1.1\r\nHost: x\r\nConnection: close, x-mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Authorization: a\r\nTE: trailers\r\nUpgrade: websocket\r\nX-Berth-Key: forged\r\n\r\n";
    const text = await sendRaw(url, [bytes]);
    for (const name of ["x-mine", "proxy-authorization", '"te"', '"upgrade"', "forged"]) expect(text).not.toContain(name);
    const rude = await sendRaw(url, ["GET /function/node/rude HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"]);
    expect(rude).toContain("polite");
    expect(rude).not.toMatch(/x-secret|x-berth-refused/);
  });

  test("too large a head is 431, too large a body 413, TRACE 405", async () => {
    expect(statuses(await sendRaw(url, [`${POST}X: ${"a".repeat(20_000)}\r\n\r\n`]))).toEqual([431]);
    expect(statuses(await sendRaw(url, [`${POST}Content-Length: 100001\r\nConnection: close\r\n\r\n`], 2000))).toEqual([413]);
    const chunk = `${(50_001).toString(16)}\r\n${"a".repeat(50_001)}\r\n`;
    expect(statuses(await sendRaw(url, [`${CHUNKED}Connection: close\r\n\r\n${chunk}${chunk}0\r\n\r\n`], 3000))).toEqual([413]);
    expect(statuses(await sendRaw(url, ["TRACE /function/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"]))).toEqual([405]);
  });

  test("a client that closes its half is taken for gone, as by nginx", async () => {
    const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1", allowHalfOpen: true });
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.end("GET /function/node/lengthless HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "end");
    expect(text).toBe("");
    socket.destroy();
  });
});

describe("a client that leaves", () => {
  const source = `let started = 0; const aborted = []; let release = () => {};
    export default { async fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/seen") return Response.json({ started, aborted });
      if (pathname === "/release") { release(); return new Response(""); }
      started += 1;
      const gone = (phase) => request.signal.addEventListener("abort", () => aborted.push(phase));
      if (pathname === "/body") { gone("body"); await request.text().catch(() => {}); return new Response(""); }
      if (pathname === "/head") { gone("head"); await new Promise((done) => { release = done; }); return new Response(""); }
      gone("answer");
      return new Response(new ReadableStream({ start(controller) { controller.enqueue(new TextEncoder().encode("first")); } }));
    } };`;
  const seen = async (name: string) => (await (await berth.invoke(name, {}, "/seen")).json()) as { started: number; aborted: string[] };

  /** Sends this, waits until `text` has come back or this holds, and leaves. */
  async function leave(bytes: string, when: string | (() => Promise<boolean>)): Promise<void> {
    const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1" });
    socket.write(bytes);
    if (typeof when === "function") await until(when, "it has arrived");
    else for await (const chunk of socket) if (String(chunk).includes(when)) break;
    socket.destroy();
  }

  // The last line of each makes it one that node:http serves.
  test.each(["", "Connection: keep-alive, x-a\r\n"])("is noticed in every phase: %j", async (more) => {
    const name = more ? "left-node" : "left-plain";
    await berth.deploy(name, source, { concurrency: 2, maxScale: 1 });
    await seen(name);
    const get = (path: string) => `GET /function/${name}${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    await leave(`POST /function/${name}/body HTTP/1.1\r\nHost: x\r\n${more}Content-Length: 99999\r\n\r\nsome`, async () => (await seen(name)).started === 1);
    await until(async () => (await seen(name)).aborted.includes("body"), "the end is noticed while the body comes");
    await leave(get("/answer"), "first");
    await until(async () => (await seen(name)).aborted.includes("answer"), "the end is noticed while the response goes");
    await leave(get("/head"), async () => (await seen(name)).started === 3);
    await until(async () => (await seen(name)).aborted.includes("head"), "the end is noticed before the response");
    await berth.invoke(name, {}, "/release");
    expect(await seen(name)).toEqual({ started: 3, aborted: ["body", "answer", "head"] });
  });

  test("while it waits is never served", async () => {
    await berth.deploy("left-waiting", source, { concurrency: 1, maxScale: 1 });
    await seen("left-waiting");
    const held = connect({ port: Number(new URL(url).port), host: "127.0.0.1" });
    held.write("GET /function/left-waiting/answer HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(held, "data");
    await leave("GET /function/left-waiting/head HTTP/1.1\r\nHost: x\r\n\r\n", async () => {
      const metrics = await (await fetch(`${berth.berth.manageUrl}/metrics`)).text();
      return metrics.includes('berth_queue_depth{function="left-waiting"} 1');
    });
    held.destroy();
    expect((await seen("left-waiting")).started).toBe(1);
  });
});

describe("responses", () => {
  test("HEAD has the headers and no body, 204 no body, and the connection goes on", async () => {
    const one = (method: string, path: string, more = "") => `${method} /function/node/${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const text = await sendRaw(url, [one("HEAD", "head") + one("GET", "empty") + one("GET", "gzip", "Connection: close\r\n")], 2000);
    expect(statuses(text)).toEqual([200, 204, 200]);
    expect(text).toMatch(/content-length: 1234/i);
  });

  test("without a length come in chunks, for HTTP/1.0 until the end of the connection", async () => {
    const one = (version: string) => `GET /function/node/lengthless HTTP/${version}\r\nHost: x\r\nConnection: close\r\n\r\n`;
    expect(await sendRaw(url, [one("1.1")])).toMatch(/transfer-encoding: chunked[\s\S]*\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n$/i);
    expect(await sendRaw(url, [one("1.0")])).toMatch(/\r\n\r\nab$/);
  });

  test("content codings pass untouched, both ways", async () => {
    const packed = gzipSync("packed");
    const answer = await request(`${url}/function/node/gzip`);
    expect(answer.headers["content-encoding"]).toBe("gzip");
    expect(Buffer.from(await answer.body.arrayBuffer())).toEqual(packed);
    const sent = await request(`${url}/function/node`, { method: "POST", headers: { "content-encoding": "gzip" }, body: packed });
    expect(await sent.body.json()).toMatchObject({ body: packed.toString("hex"), headers: { "content-encoding": "gzip" } });
  });
});
