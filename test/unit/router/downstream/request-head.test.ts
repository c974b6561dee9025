import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseRequest, type WholeRequest } from "../../../../router/downstream/request-head.ts";

const MAX_HEAD = 16 * 1024;
const MAX_BODY = 64 * 1024;
const parse = (text: string) => parseRequest(Buffer.from(text, "latin1"), MAX_HEAD, MAX_BODY);
const GET = "GET /a?b HTTP/1.1\r\nHost: x\r\n";

describe("a whole, plain request", () => {
  test("is read with all its parts, and the bytes after it are left", () => {
    const text = "POST /p HTTP/1.1\r\nHost: x\r\nX-A: \t b c \r\nContent-Length: 2\r\n\r\nhi";
    const request = parse(`${text}GET /`);
    expect(request).toMatchObject({
      method: "POST",
      url: "/p",
      rawHeaders: ["Host", "x", "X-A", "b c", "Content-Length", "2"],
      close: false,
      size: text.length,
    });
    expect(request?.body?.toString()).toBe("hi");
    expect(parse(`${GET}Connection: Close\r\n\r\n`)).toMatchObject({ close: true, upgrade: false, body: null });
    expect(parse(`${GET}Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\n`)).toMatchObject({ upgrade: true });
  });

  test.each([
    ["an unfinished head", GET],
    ["an unfinished body", `${GET}Content-Length: 3\r\n\r\nab`],
    ["a large body", `${GET}Content-Length: ${MAX_BODY + 1}\r\n\r\n${"a".repeat(MAX_BODY + 1)}`],
    ["a large head", `${GET}X: ${"a".repeat(MAX_HEAD)}\r\n\r\n`],
    ["chunks", `${GET}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["an expectation", `${GET}Expect: 100-continue\r\n\r\n`],
    ["another upgrade", `${GET}Upgrade: h2c\r\nConnection: upgrade\r\n\r\n`],
    ["an upgrade that Connection does not name", `${GET}Upgrade: websocket\r\n\r\n`],
    ["an upgrade with a body", `${GET}Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\na`],
    ["named hop-by-hop headers", `${GET}Connection: close, x-a\r\n\r\n`],
    ["a whole URL", "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a fragment", "GET /#a HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["another version", "GET / HTTP/1.0\r\nHost: x\r\n\r\n"],
    ["another method", "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["no Host", "GET / HTTP/1.1\r\n\r\n"],
    ["an empty line before it", `\r\n${GET}\r\n`],
    ["a space no parser agrees on", `${GET}X\u00a0: a\r\n\r\n`],
  ])("%s is left to the full parser", (_what, text) => {
    expect(parse(text)).toBeNull();
  });
});

describe("beside the full parser", () => {
  let server: Server;
  let read: (value: { req: IncomingMessage; body: string }) => void;
  beforeAll(async () => {
    server = createServer((req, res) => {
      let body = "";
      req.setEncoding("latin1").on("data", (chunk) => {
        body += chunk;
      });
      req.on("end", () => {
        read({ req, body });
        res.end();
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterAll(() => void server.close());

  /** The first request that node:http reads from the same bytes, or null. */
  async function full(bytes: Buffer): Promise<Omit<WholeRequest, "close" | "size" | "upgrade" | "host"> | null> {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const request = new Promise<{ req: IncomingMessage; body: string }>((resolve) => {
      read = resolve;
    });
    socket.on("error", () => {}).end(bytes);
    const found = await Promise.race([request, once(socket, "close").then(() => null)]);
    socket.destroy();
    if (!found) return null;
    const { method = "", url = "", rawHeaders } = found.req;
    return { method, url, rawHeaders, body: found.body === "" ? null : Buffer.from(found.body, "latin1") };
  }

  const piece = fc.constantFrom(
    ..."GET|POST| /|?|#|HTTP/1.1|HTTP/1.0|\r\n|\n|\r|:| |\t|\0|\u00a0|\u00ff|\u007f|,|chunked|0\r\n\r\n|Host: y\r\n|Content-Length: 1\r\n|Content-Length:|Transfer-Encoding: chunked\r\n|Connection: close\r\n|X-A: b\r\n| folded\r\n|1|a|é".split(
      "|",
    ),
  );
  const base = fc.constantFrom(
    `${GET}\r\n`,
    `${GET}X-A: b\r\nConnection: keep-alive\r\n\r\n`,
    "POST /function/f HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "PUT /f HTTP/1.1\r\nHOST:x\r\nCONTENT-LENGTH: 3 \r\nX:\r\n\r\na\r\n",
  );
  const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), drop: fc.nat(3), piece });
  const mutated = fc.tuple(base, fc.array(edit, { maxLength: 2 })).map(([text, edits]) => {
    let bytes = text;
    for (const { at, drop, piece: inserted } of edits) {
      const i = Math.floor(at * bytes.length);
      bytes = bytes.slice(0, i) + inserted + bytes.slice(i + drop);
    }
    return Buffer.from(bytes, "latin1");
  });

  const odd = fc.constantFrom(..." |\t|\0|\u00a0|\u00ff|\u007f|\u0001|\r|\n|,|:|a|b|1".split("|"));
  const value = fc.array(odd, { maxLength: 4 }).map((chars) => chars.join(""));
  const header = fc.oneof(
    fc.tuple(fc.constantFrom("X-A", "Host", "Cookie", "x", "X A", "X\u00a0"), value).map(([name, text]) => `${name}:${text}`),
    fc.constantFrom("Host: x", "content-length: 1", "Content-Length: 01", "Content-Length: 2", "Transfer-Encoding: chunked", "Connection: close", " a", ""),
  );
  const built = fc
    .tuple(fc.array(header, { maxLength: 3 }), fc.constantFrom("", "a", "ab"))
    .map(([headers, body]) => Buffer.from(`POST /f HTTP/1.1\r\nHost: x\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n${body}`, "latin1"));

  test("node:http reads alike whatever it accepts", async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, built), async (bytes) => {
        const whole = parseRequest(bytes, MAX_HEAD, MAX_BODY);
        if (!whole) return;
        accepted += 1;
        const { method, url, rawHeaders, body } = whole;
        expect({ method, url, rawHeaders, body }).toEqual(await full(bytes));
      }),
      { numRuns: 6000 },
    );
    expect(accepted).toBeGreaterThan(300);
  });
});
