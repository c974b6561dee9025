import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Invocation, send } from "../../../cli/invocation.ts";
import { runCommand } from "../../helpers/command.ts";

interface Seen {
  method: string;
  url: string;
  headers: [string, string][];
  body: string;
}

/** Stands for a router: answers as its functions would. */
const server = createServer(async (req, res) => {
  const name = /^\/function\/([^/?]*)/.exec(req.url ?? "")?.[1] ?? "";
  const answer = ANSWERS[name];
  if (answer) return answer(req, res);
  const headers = req.rawHeaders.flatMap((one, i) => (i % 2 === 0 ? [[one.toLowerCase(), req.rawHeaders[i + 1] as string]] : []));
  res.end(JSON.stringify({ method: req.method, url: req.url, headers, body: Buffer.from(await text(req)).toString() }));
});
const elsewhere: IncomingMessage[] = [];
const other = createServer((req, res) => {
  elsewhere.push(req);
  res.end("elsewhere");
});
const ANSWERS: Record<string, (req: IncomingMessage, res: ServerResponse) => void> = {
  moved: (_req, res) => res.writeHead(302, { location: urlOf(other) }).end("moved"),
  own404: (_req, res) => res.writeHead(404).end("no such thing"),
  own500: (_req, res) => res.writeHead(500).end("broken"),
  full: (_req, res) => res.writeHead(429, { "x-berth-error": "QUEUE_FULL" }).end("{}"),
  nobody: (_req, res) => res.writeHead(404, { "x-berth-error": "FUNCTION_NOT_FOUND" }).end("{}"),
  cut: (_req, res) => {
    res.writeHead(200, { "content-length": "1000" });
    res.write("half", () => res.destroy());
  },
  gone: (req) => req.socket.destroy(),
};
const urlOf = (one: { address(): unknown }) => `http://127.0.0.1:${(one.address() as AddressInfo).port}`;

beforeAll(async () => {
  for (const one of [server, other]) await once(one.listen(0, "127.0.0.1"), "listening");
});
afterAll(() => {
  for (const one of [server, other]) one.close();
});

const sent = async (change: Partial<Invocation>): Promise<Seen> => {
  const response = await send({ router: urlOf(server), name: "echo", path: "", method: "GET", headers: [], body: null, identity: {}, ...change });
  return JSON.parse(await text(response)) as Seen;
};
const all = ({ headers }: Seen, name: string) => headers.flatMap(([one, value]) => (one === name ? [value] : []));

/** The result of the command: exit code, output, messages. */
const run = (...args: string[]) => runCommand(args, { BERTH_ROUTER: urlOf(server) });

describe("what is sent", () => {
  test("every header as it was given, repeated ones too", async () => {
    const seen = await sent({ headers: ["x-a: 1", "X-A:2", "x-a: 1", "x-colon: a:b", "x-empty;", "x-e: ü"] });
    expect([all(seen, "x-a"), all(seen, "x-colon"), all(seen, "x-empty"), all(seen, "x-e")]).toEqual([["1", "2", "1"], ["a:b"], [""], ["ü"]]);
  });

  test("one given takes the place of what is sent by default, and an empty one takes it away", async () => {
    const identity = { "x-berth-api-key": "mine" };
    const seen = await sent({ headers: ["Host: shop.example", "accept: text/html", "User-Agent:", "x-berth-api-key: other"], identity });
    expect(["host", "accept", "user-agent", "x-berth-api-key"].map((name) => all(seen, name))).toEqual([["shop.example"], ["text/html"], [], ["other"]]);
    expect(all(await sent({ identity }), "x-berth-api-key")).toEqual(["mine"]);
  });

  test.each([
    ['{"a":1}', "application/json"],
    [" [1] ", "application/json"],
    ["a=1&b=2", "application/x-www-form-urlencoded"],
    ["", "application/x-www-form-urlencoded"],
    ["\u00ff\u0000", "application/x-www-form-urlencoded"],
  ])("the body %j has the type %s and its length", async (body, type) => {
    const seen = await sent({ method: "POST", body: Buffer.from(body) });
    expect([seen.body, all(seen, "content-type"), all(seen, "content-length"), all(seen, "transfer-encoding")]).toEqual([
      body,
      [type],
      [String(Buffer.byteLength(body))],
      [],
    ]);
    expect(all(await sent({ method: "POST", body: Buffer.from(body), headers: ["Content-Type: text/x"] }), "content-type")).toEqual(["text/x"]);
  });

  test.each(["GET", "HEAD", "DELETE", "OPTIONS", "post", "PUT", "PATCH", "PROPFIND"])("a body with %s", async (method) => {
    const response = await send({ router: urlOf(server), name: "echo", path: "", method, headers: [], body: Buffer.from("x"), identity: {} });
    const answered = await text(response);
    if (method !== "HEAD") expect(JSON.parse(answered)).toMatchObject({ method: method.toUpperCase(), body: "x" });
  });

  test("a body in chunks where the headers say so, and none with a POST without data", async () => {
    const chunked = await sent({ method: "POST", body: Buffer.from("abc"), headers: ["Transfer-Encoding: chunked"] });
    expect([chunked.body, all(chunked, "content-length")]).toEqual(["abc", []]);
    const empty = await sent({ method: "POST" });
    expect([all(empty, "content-length"), all(empty, "transfer-encoding"), all(empty, "content-type")]).toEqual([["0"], [], []]);
  });

  test.each([
    ["f@next", "", "/function/f@next"],
    ["f@r2", "a", "/function/f@r2/a"],
    ["f", "?q=1", "/function/f?q=1"],
    ["f", "//x/../y%2F?a=b c&ü#part", "/function/f//x/../y%2F?a=b%20c&%C3%BC"],
    ["../admin", "/", "/function/..%2Fadmin/"],
  ])("%s and the path %j as %s", async (name, path, url) => {
    expect((await sent({ name, path })).url).toBe(url);
    expect((await sent({ name, path, router: `${urlOf(server)}/` })).url).toBe(url);
  });
});

describe("what cannot be sent is told before, and nothing that answers is called unreachable", () => {
  test.each<[string, Partial<Invocation>, string]>([
    ["TRACE", { method: "TRACE" }, "METHOD_INVALID"],
    ["CONNECT", { method: "connect" }, "METHOD_INVALID"],
    ["no method", { method: "FETCH IT" }, "METHOD_INVALID"],
    ["an empty method", { method: "" }, "METHOD_INVALID"],
    ["a header beyond latin-1", { headers: ["x-a: ключ"] }, "HEADER_INVALID"],
    ["a header of two lines", { headers: ["x-a: 1\r\nx-b: 2"] }, "HEADER_INVALID"],
    ["a header without a colon", { headers: ["x-a"] }, "HEADER_INVALID"],
    ["a header without a name", { headers: [": 1"] }, "HEADER_INVALID"],
    ["a name with a blank", { headers: ["x a: 1"] }, "HEADER_INVALID"],
    ["an address that is none", { router: "localhost:8080" }, "URL_INVALID"],
    ["a port that is none", { router: "http://127.0.0.1:99999" }, "URL_INVALID"],
  ])("%s", async (_what, change, code) => {
    await expect(sent(change).then(JSON.stringify)).rejects.toMatchObject({ code, exit: 2 });
  });

  test("a connection that ends, a server of another kind, nobody", async () => {
    await expect(sent({ name: "gone" })).rejects.toMatchObject({ code: "CONNECTION_LOST", exit: 4 });
    const tcp = createTcpServer((socket) =>
      socket
        .on("error", () => {})
        .resume()
        .end("SSH-2.0-x\r\n"),
    ).listen(0, "127.0.0.1");
    await once(tcp, "listening");
    await expect(sent({ router: urlOf(tcp) })).rejects.toMatchObject({ code: "ANSWER_INVALID", exit: 1 });
    const closed = urlOf(tcp);
    tcp.close();
    await once(tcp, "close");
    await expect(sent({ router: closed })).rejects.toMatchObject({ code: "UNREACHABLE", exit: 4 });
  });
});

describe("the command", () => {
  test("does not follow redirects, and takes the key nowhere else", async () => {
    const moved = await run("--key", "secret-key", "invoke", "moved");
    expect([moved.code, moved.stdout, elsewhere.length]).toEqual([0, "moved", 0]);
    expect(moved.stderr).toContain(`moved answered 302: see ${urlOf(other)}`);
  });

  test.each([
    ["own404", 6, "error HTTP_404"],
    ["own500", 6, "error HTTP_500"],
    ["full", 5, "error QUEUE_FULL"],
    ["nobody", 3, "error FUNCTION_NOT_FOUND"],
    ["cut", 4, "error CONNECTION_LOST"],
  ])("ends for %s with %i", async (name, code, error) => {
    const ended = await run("invoke", name);
    expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining(error)]);
  });

  test("sends files and several pieces of data, also with GET", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "berth-test-")), "data");
    writeFileSync(file, "from=file");
    const seen = JSON.parse((await run("invoke", "echo@next", "-X", "GET", "-d", "a=1", "-d", `@${file}`, "-H", "x-a: 1", "-H", "x-a: 2")).stdout) as Seen;
    expect([seen.method, seen.url, seen.body, all(seen, "x-a")]).toEqual(["GET", "/function/echo@next", "a=1&from=file", ["1", "2"]]);
    const bad = await run("invoke", "echo", "-X", "TRACE");
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining("error METHOD_INVALID")]);
  });
});
