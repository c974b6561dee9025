import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ECHO, TestBerth } from "../../helpers/berth.ts";
import { sendRaw, statuses } from "../../helpers/requests/raw-http.ts";

let berth: TestBerth;
let url: string;
beforeAll(async () => {
  berth = await TestBerth.start({ poolSize: 2, domain: "fn.test" });
  url = berth.berth.invokeUrl;
  await berth.deploy("echo", ECHO);
  await (await berth.invoke("echo")).text();
});
afterAll(() => berth.close());

const POST = "POST /function/echo HTTP/1.1\r\nHost: x\r\n";
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n`;

describe("what two servers could read differently is refused, and its connection closed", () => {
  test.each([
    ["a length beside chunks", `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`],
    ["chunks beside a length", `${CHUNKED}Content-Length: 5\r\n\r\n0\r\n\r\nG`],
    ["two equal lengths", `${POST}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`],
    ["two lengths", `${POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`],
    ["a list of lengths", `${POST}Content-Length: 1, 1\r\n\r\na`],
    ["a signed length", `${POST}Content-Length: +1\r\n\r\na`],
    ["a negative length", `${POST}Content-Length: -1\r\n\r\na`],
    ["a hexadecimal length", `${POST}Content-Length: 0x1\r\n\r\na`],
    ["a space before the colon", `${POST}Content-Length : 1\r\n\r\na`],
    ["bare line feeds", "POST /function/echo HTTP/1.1\nHost: x\nContent-Length: 1\n\na"],
    ["one bare line feed", `${POST}X: y\nContent-Length: 1\r\n\r\na`],
    ["a bare carriage return", `${POST}X: y\rContent-Length: 1\r\n\r\na`],
    ["a folded line", `${POST}X: a\r\n b\r\nContent-Length: 1\r\n\r\na`],
    ["a folded coding", `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`],
    ["an unknown coding", `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ["chunked not last", `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
    ["a coding before chunked", `${POST}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n`],
    ["chunked twice", `${CHUNKED}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["chunks in HTTP/1.0", "POST /function/echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a bare line feed after a chunk's size", `${CHUNKED}\r\n1\na\r\n0\r\n\r\n`],
    ["a line feed in a chunk's extension", `${CHUNKED}\r\n1;x\ny\r\na\r\n0\r\n\r\n`],
    ["a negative chunk", `${CHUNKED}\r\n-1\r\na\r\n0\r\n\r\n`],
    ["a prefixed chunk size", `${CHUNKED}\r\n0x1\r\na\r\n0\r\n\r\n`],
    ["a chunk size beyond 64 bits", `${CHUNKED}\r\nfffffffffffffffff\r\na\r\n0\r\n\r\n`],
    ["a zero byte in a value", `${POST}X: a\0b\r\nContent-Length: 1\r\n\r\na`],
    ["no Host", "GET /function/echo HTTP/1.1\r\n\r\n"],
    ["two Hosts", "GET /function/echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
    ["HTTP/2.0 in the request line", "GET /function/echo HTTP/2.0\r\nHost: x\r\n\r\n"],
    ["HTTP/1.2", "GET /function/echo HTTP/1.2\r\nHost: x\r\n\r\n"],
    ["a URL of another scheme", "GET ftp://x/a HTTP/1.1\r\nHost: node.fn.test\r\n\r\n"],
    ["a URL without an authority", "GET http:///function/node HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["the target * of another method than OPTIONS", "GET * HTTP/1.1\r\nHost: node.fn.test\r\n\r\n"],
  ])("%s", async (_what, bytes) => {
    const text = await sendRaw(url, [bytes], 600);
    // No second response: nothing of it was taken for another request.
    expect(statuses(text)).toEqual([400]);
    const after = await sendRaw(url, [`GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n${bytes}`], 600);
    expect(statuses(after)).toEqual([200, 400]);
  });

  test("nothing of that has cost an instance", async () => {
    const before = await berth.instances();
    expect((await berth.invoke("echo")).status).toBe(200);
    expect(before.filter(({ state }) => state === "warm")).toHaveLength(1);
  });
});
