import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { ChunkedBody } from "../../../../router/upstream/chunked-body.ts";
import { ConnectionPool } from "../../../../router/upstream/connection-pool.ts";
import type { ResponseHandler } from "../../../../router/upstream/http1-connection.ts";
import { parseHead } from "../../../../router/upstream/response-head.ts";

describe("the head of a response", () => {
  test.each([
    ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 5", false, { kind: "length", bytes: 5 }],
    ["no byte", "HTTP/1.1 200 OK\r\ncontent-length: 0", false, { kind: "none" }],
    ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked", false, { kind: "chunked" }],
    ["neither", "HTTP/1.1 200 OK\r\nx: y", false, { kind: "until-end" }],
    ["HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5", true, { kind: "none" }],
    ["204", "HTTP/1.1 204", false, { kind: "none" }],
    ["304 with a length", "HTTP/1.1 304 Not Modified\r\ncontent-length: 5", false, { kind: "none" }],
  ])("%s", (_what, text, isHead, framing) => {
    expect(parseHead(text, isHead).framing).toEqual(framing);
  });

  test("keeps names and values as they came, and says whether the connection is kept", () => {
    const head = parseHead("HTTP/1.1 404 Not \xe4 Found\r\nX-A:  b \r\nx-a: c\r\nConnection: Close", false);
    expect(head).toMatchObject({ status: 404, statusText: "Not \xe4 Found", headers: ["X-A", "b", "x-a", "c", "Connection", "Close"], keepAlive: false });
  });

  test.each([
    "HTTP/1.0 200 OK",
    "HTTP/1.1 20 OK",
    "HTTP/1.1 600 No",
    "HTTP/1.1 200 a\nb",
    "HTTP/1.1 200 OK\r\nno colon",
    "HTTP/1.1 200 OK\r\n folded: x",
    "HTTP/1.1 200 OK\r\nname : x",
    "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1",
    "HTTP/1.1 200 OK\r\ncontent-length: +1",
    "HTTP/1.1 200 OK\r\ncontent-length: 1, 1",
    "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked",
  ])("is refused: %j", (text) => {
    expect(() => parseHead(text, false)).toThrow();
  });
});

/** The body and what is left, when the bytes come in these pieces. */
function readAll(bytes: Buffer, cuts: readonly number[]): { body: string; left: string; done: boolean } {
  const chunks = new ChunkedBody();
  let body = "";
  let left = "";
  const edges = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  for (let i = 1; i < edges.length; i++) {
    const piece = bytes.subarray(edges[i - 1], edges[i]);
    const used = chunks.read(piece, (data) => {
      body += data.toString("latin1");
    });
    left += piece.toString("latin1", used);
  }
  return { body, left, done: chunks.done };
}

describe("a chunked body", () => {
  test("gives the same content wherever it is split", () => {
    const part = fc.string({ minLength: 1, maxLength: 40 }).map((text) => Buffer.from(text).toString("latin1"));
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 8 }), fc.boolean(), (parts, cuts, trailer) => {
        const text = `${parts.map((one) => `${one.length.toString(16)};x=y\r\n${one}\r\n`).join("")}0\r\n${trailer ? "x-t: 1\r\n" : ""}\r\nNEXT`;
        expect(readAll(Buffer.from(text, "latin1"), cuts)).toEqual({ body: parts.join(""), left: "NEXT", done: true });
      }),
    );
  });

  test.each([
    "1\na\r\n0\r\n\r\n",
    "-1\r\n",
    "0x1\r\na\r\n",
    "1\r\nab\r\n0\r\n\r\n",
    " 1\r\na\r\n",
    `${"1".repeat(13)}\r\n`,
    "g\r\n",
    `1${";".padEnd(9000, "x")}`,
  ])("is refused: %j", (text) => {
    expect(() => readAll(Buffer.from(text), [])).toThrow();
  });
});

describe("connections to an instance", () => {
  let server: Server;
  let wires: ConnectionPool;
  const sockets: Socket[] = [];
  const requests: string[] = [];
  afterEach(() => {
    wires.destroy();
    server.close();
    for (const socket of sockets.splice(0)) socket.destroy();
    requests.splice(0);
  });

  /** Answers each request with these pieces; none: closes at once. */
  async function serve(pieces: readonly string[]): Promise<void> {
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
      socket.on("data", async (bytes) => {
        requests.push(bytes.toString("latin1"));
        if (pieces.length === 0) return socket.destroy();
        for (const piece of pieces) {
          socket.write(piece, "latin1");
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        if (!/content-length|chunked/i.test(pieces.join(""))) socket.end();
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    wires = new ConnectionPool("127.0.0.1", (server.address() as { port: number }).port);
  }

  function send(body: Buffer | null = null, isHead = false, upgrade = false): Promise<string> {
    return new Promise((resolve) => {
      let text = "";
      const handler: ResponseHandler = {
        onConnect: () => {
          text += "sent ";
        },
        onJoin: (_text, headers, socket, first) => {
          resolve(`${text}joined ${headers.join(" ")} ${first.toString("latin1")}`);
          socket.destroy();
        },
        onHeaders: (status) => {
          text += `${status} `;
          return true;
        },
        onData: (chunk) => {
          text += chunk.toString("latin1");
          return true;
        },
        onComplete: () => resolve(`${text}.`),
        onError: (error) => resolve(`${text}! ${error.message}`),
      };
      wires.send({ head: "GET / HTTP/1.1\r\nhost: x\r\n\r\n", body, isHead, upgrade }, handler);
    });
  }

  test.each([
    ["a length", ["HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"]],
    ["cut everywhere", [..."HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"]],
    ["chunks", ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nbo", "\r\n2\r\ndy\r\n0\r\n", "\r\n"]],
    ["until the end", ["HTTP/1.1 200 OK\r\n\r\nbo", "dy"]],
  ])("%s: two requests one after the other", async (_what, pieces) => {
    await serve(pieces);
    expect(await send()).toBe("sent 200 body.");
    expect(await send(Buffer.from("hello"))).toBe("sent 200 body.");
    expect(requests[1]).toMatch(/\r\n\r\nhello$/);
    if (/content-length|chunked/.test(pieces.join(""))) expect(sockets).toHaveLength(1);
  });

  test.each([
    ["", 1],
    ["keep-alive: timeout=65\r\n", 1],
    ["Keep-Alive: max=9, timeout=2\r\n", 1],
    ["keep-alive: timeout=1\r\n", 2],
    ["keep-alive: timeout=0\r\n", 2],
    ["keep-alive: soon\r\n", 1],
  ])("an idle connection is not reused shortly before its peer closes it: %j", async (announced, opened) => {
    await serve([`HTTP/1.1 200 OK\r\n${announced}content-length: 0\r\n\r\n`]);
    expect([await send(), await send()]).toEqual(["sent 200 .", "sent 200 ."]);
    expect(sockets).toHaveLength(opened);
  });

  test("interim responses are reported, and the response follows", async () => {
    await serve(["HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"]);
    expect(await send()).toBe("sent 103 200 body.");
  });

  test("another protocol is joined if it was requested, with the bytes that followed the answer", async () => {
    await serve(["HTTP/1.1 101 Switching Protocols\r\nx: y\r\n\r\nfirst"]);
    expect(await send(null, false, true)).toBe("sent joined x y first");
    expect(await send()).toContain("an upgrade that was not requested");
  });

  test("HEAD has no body, and its connection is kept", async () => {
    await serve(["HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"]);
    expect(await send(null, true)).toBe("sent 200 .");
    expect(await send(null, true)).toBe("sent 200 .");
    expect(sockets).toHaveLength(1);
  });

  test("a broken answer fails the attempt, and unrequested bytes end the connection", async () => {
    await serve(["HTTP/1.1 200 OK\r\ncontent-length: 9\r\ncontent-length: 9\r\n\r\n"]);
    expect(await send()).toMatch(/^sent ! an unclear length/);
    server.close();
    await serve(["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab"]);
    expect(await send()).toBe("sent 200 a.");
    expect(await send()).toBe("sent 200 a.");
    expect(sockets.filter((socket) => !socket.destroyed).length).toBeLessThanOrEqual(1);
  });

  test("an instance that closes without an answer, and one that is not there", async () => {
    await serve([]);
    expect(await send()).toMatch(/^sent !/);
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, "close");
    expect(await send()).toMatch(/^! connect ECONNREFUSED/);
  });
});
