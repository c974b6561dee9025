import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sleep } from "../../helpers/berth.ts";
import { RawClient } from "../../helpers/requests/raw-client.ts";
import { functionAt, listen, type Routed, startRouted } from "../../helpers/subjects/routed.ts";

/** The requests as the instance received them. */
let seen: { url: string; raw: string[]; body: string }[] = [];
const answers: Record<string, (req: IncomingMessage, res: ServerResponse) => void> = {
  "/large-head": (_req, res) => res.setHeader("x-large", "h".repeat(70 * 1024)).end("large"),
  "/forged": (_req, res) => res.socket?.write("HTTP/1.1 500 Oh\r\nx-berth-error: random-name\r\ncontent-length: 0\r\n\r\n"),
  "/600": (_req, res) => res.socket?.write("HTTP/1.1 600 Six\r\ncontent-length: 0\r\n\r\n"),
  "/199": (_req, res) => res.socket?.write("HTTP/1.1 199 Almost\r\ncontent-length: 0\r\n\r\n"),
  "/both": (_req, res) => res.socket?.write("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
};
const instance = createServer({ maxHeaderSize: 65_536 }, async (req, res) => {
  let body = "";
  for await (const piece of req) body += piece;
  seen.push({ url: req.url ?? "", raw: req.rawHeaders, body });
  const answer = answers[req.url ?? ""];
  if (answer) answer(req, res);
  else res.end("plain");
});
instance.maxHeadersCount = 0;
instance.on("upgrade", (req, socket: Socket, head) => {
  seen.push({ url: req.url ?? "", raw: req.rawHeaders, body: "" });
  socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  socket.write(head);
  socket.on("data", (bytes) => socket.write(bytes)).on("end", () => socket.end());
});

let routed: Routed;
beforeAll(async () => {
  routed = await startRouted([functionAt([await listen(instance)])], { domain: "example.test" });
});
afterAll(async () => {
  await routed.close();
  instance.close();
});

/** Sends the pieces `pauseMs` apart; returns each response, and the client. */
async function converse(pieces: string[], { responses = 1, pauseMs = 0 } = {}) {
  seen = [];
  const client = await RawClient.open(routed.url);
  for (const [i, piece] of pieces.entries()) {
    if (i > 0) await sleep(pauseMs);
    await client.send(piece);
  }
  const statuses: (number | undefined)[] = [];
  let body = "";
  for (let i = 0; i < responses; i++) {
    const response = await client.response("GET");
    statuses.push(response?.status);
    body = response?.body ?? "";
  }
  return { client, statuses, body };
}

const valuesOf = (name: string) => {
  const { raw } = seen.at(-1) as (typeof seen)[0];
  return raw.flatMap((value, i) => (i % 2 === 1 && raw[i - 1]?.toLowerCase() === name ? [value] : []));
};

const opening = (lines: string[], target = "/function/f/ws") =>
  `GET ${target} HTTP/1.1\r\n${["Host: x", ...lines, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="].join("\r\n")}\r\n\r\n`;
const UPGRADE = ["Connection: Upgrade", "Upgrade: websocket"];

describe("a WebSocket opens", () => {
  const post = "POST /function/f/posted HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  const plain = "GET /function/f/plain HTTP/1.1\r\nHost: x\r\n\r\n";
  test.each<[string, string[], number?, number?]>([
    ["with Connection: Upgrade, keep-alive", [opening(["Connection: Upgrade, keep-alive", "Upgrade: websocket"])]],
    ["with Connection: keep-alive,Upgrade", [opening(["Connection: keep-alive,Upgrade", "Upgrade: websocket"])]],
    ["with tokens in any case, and tabs between them", [opening(["connection: KEEP-ALIVE,\tUPGRADE", "upgrade: WebSocket"])]],
    ["with two Connection headers", [opening(["Connection: keep-alive", "Connection: Upgrade", "Upgrade: websocket"])]],
    ["with another name in Connection", [opening(["Connection: Upgrade, X-Mine", "X-Mine: 1", "Upgrade: websocket"])]],
    ["with another protocol beside it", [opening(["Connection: Upgrade", "Upgrade: websocket, h2c"])]],
    ["with a body of no bytes", [opening([...UPGRADE, "Content-Length: 0"])]],
    ["with the whole URL", [opening(UPGRADE, "http://x/function/f/ws")]],
    ["at its own host", [opening(UPGRADE, "http://f.example.test/ws")]],
    ["in two packets", [opening(UPGRADE).slice(0, 70), opening(UPGRADE).slice(70)], 1, 150],
    ["in two packets, a second apart", [opening(UPGRADE).slice(0, 20), opening(UPGRADE).slice(20)], 1, 1000],
    ["after a request in chunks on its connection", [post, opening(UPGRADE)], 2, 50],
    ["right behind a request in chunks", [post + opening(UPGRADE)], 2],
    ["right behind a plain request", [plain + opening(UPGRADE)], 2],
  ])("%s", async (_how, pieces, responses = 1, pauseMs = 0) => {
    const { client, statuses } = await converse(pieces, { responses, pauseMs });
    expect(statuses).toEqual([...Array(responses - 1).fill(200), 101]);
    expect(seen.at(-1)?.url).toBe("/ws");
    await client.send("frame");
    await expect.poll(() => client.unread).toBe("frame");
    client.close();
  });

  test("and what comes behind its head in the same packet is its first frame", async () => {
    const { client, statuses } = await converse([`${opening(["Connection: Upgrade, X-A", "Upgrade: websocket"])}first`]);
    expect(statuses).toEqual([101]);
    await expect.poll(() => client.unread).toBe("first");
    client.close();
  });

  test("and Connection takes away nothing that the platform says", async () => {
    const { client, statuses } = await converse([opening(["Connection: Upgrade, host, X-Berth-Function, x-berth-revision, x-call-id", "Upgrade: websocket"])]);
    expect([statuses, ...["host", "x-berth-function", "x-berth-revision"].map(valuesOf)]).toEqual([[101], ["x"], ["f"], ["r1"]]);
    expect(valuesOf("x-call-id")).toHaveLength(1);
    client.close();
  });

  test.each([
    ["to another protocol", ["Connection: upgrade", "Upgrade: h2c"]],
    ["that Connection does not name", ["Upgrade: websocket"]],
    ["with a body", [...UPGRADE, "Content-Length: 0003"]],
  ])("but an upgrade %s is an ordinary request", async (_what, lines) => {
    const { client, statuses } = await converse([`${opening(lines)}${lines.length > 2 ? "abc" : ""}`]);
    expect([statuses, valuesOf("upgrade"), valuesOf("connection").filter((value) => /upgrade/i.test(value))]).toEqual([[200], [], []]);
    client.close();
  });
});

describe("a request that is refused is told why, in the shape of all errors", () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => `x-${i}: `).join("\r\n");
  test.each<[string, string, number, string]>([
    ["a host with a space", "GET /function/f/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "REQUEST_INVALID"],
    ["a host with a port that there is not", "GET /function/f/ HTTP/1.1\r\nHost: foo:99999\r\n\r\n", 400, "REQUEST_INVALID"],
    ["two hosts", "GET /function/f/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "REQUEST_INVALID"],
    ["no host", "GET /function/f/ HTTP/1.1\r\n\r\n", 400, "REQUEST_INVALID"],
    ["CONNECT", "CONNECT example.test:443 HTTP/1.1\r\nHost: example.test:443\r\n\r\n", 405, "METHOD_NOT_ALLOWED"],
    ["TRACE", "TRACE /function/f/ HTTP/1.1\r\nHost: x\r\n\r\n", 405, "METHOD_NOT_ALLOWED"],
    ["an expectation that nobody knows", "POST /function/f/ HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\nContent-Length: 0\r\n\r\n", 417, "EXPECTATION_UNKNOWN"],
    ["2,000 headers", `GET /function/f/ HTTP/1.1\r\nHost: x\r\n${many(2000)}\r\n\r\n`, 431, "HEAD_TOO_LARGE"],
    ["1,001 headers", `GET /function/f/ HTTP/1.1\r\nHost: x\r\n${many(1000)}\r\n\r\n`, 431, "HEAD_TOO_LARGE"],
    ["a head of 17 KiB", `GET /function/f/ HTTP/1.1\r\nHost: x\r\nx: ${"a".repeat(17 * 1024)}\r\n\r\n`, 431, "HEAD_TOO_LARGE"],
    ["a path of 17 KiB", `GET /function/f/${"a".repeat(17 * 1024)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, "HEAD_TOO_LARGE"],
    ["no HTTP", "hello\r\n\r\n", 400, "REQUEST_INVALID"],
    ["HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "REQUEST_INVALID"],
  ])("%s", async (_what, bytes, status, code) => {
    const { client, statuses, body } = await converse([bytes]);
    expect([statuses, JSON.parse(body)]).toEqual([[status], { error: { code, message: expect.any(String), fix: expect.any(String) } }]);
    expect([await client.end(), seen]).toEqual([true, []]);
    client.close();
  });
});

test("as many headers as there may be all arrive, and the platform's with them", async () => {
  const lines = Array.from({ length: 999 }, (_, i) => `x${i}: ${i % 10}`);
  const { client, statuses } = await converse([`GET /function/f/ HTTP/1.1\r\nHost: x\r\n${lines.join("\r\n")}\r\n\r\n`]);
  expect([statuses, valuesOf("x998"), valuesOf("x-berth-function"), valuesOf("x-berth-revision")]).toEqual([[200], ["8"], ["f"], ["r1"]]);
  client.close();
});

test("X-Forwarded-For is the client's address alone, whatever the client says", async () => {
  const { client } = await converse(["GET /function/f/ HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2, 3.3.3.3\r\n\r\n"]);
  expect(valuesOf("x-forwarded-for")).toEqual(["127.0.0.1"]);
  client.close();
});

test("a client that begins to speak HTTP/2 is told that it is not spoken", async () => {
  const { client, statuses, body } = await converse(["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]);
  expect([statuses, JSON.parse(body).error.message, await client.end()]).toEqual([[400], "HTTP/2 is not spoken here", true]);
  client.close();
});

test("the authority of a whole URL counts, whatever Host says", async () => {
  const { client, statuses } = await converse(["GET http://f.example.test/path?q=1 HTTP/1.1\r\nHost: other.example.test\r\n\r\n"]);
  expect([statuses, seen.at(-1)?.url, valuesOf("host")]).toEqual([[200], "/path?q=1", ["f.example.test"]]);
  client.close();
});

describe("a response that cannot be passed on is the function's fault, and ends no instance", () => {
  test.each(["/600", "/199", "/both", "/large-head"])("%s", async (path) => {
    const upload = `POST /function/f${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;
    for (const bytes of [`GET /function/f${path} HTTP/1.1\r\nHost: x\r\n\r\n`, upload]) {
      const { client, statuses, body } = await converse([bytes]);
      expect([statuses, JSON.parse(body).error.code]).toEqual([[502], "RESPONSE_INVALID"]);
      client.close();
    }
    expect(routed.suspects).toEqual([]);
    const { client, statuses } = await converse(["GET /function/f/ HTTP/1.1\r\nHost: x\r\n\r\n"]);
    expect(statuses).toEqual([200]);
    client.close();
  });
});

test("what an instance calls an error is counted under names that there are", async () => {
  const { client, statuses } = await converse(["GET /function/f/forged HTTP/1.1\r\nHost: x\r\n\r\n"]);
  expect(statuses).toEqual([500]);
  client.close();
  expect(await routed.metrics()).not.toContain("random-name");
});
