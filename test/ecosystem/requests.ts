import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";

export interface Asked {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface Got {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
  /** Milliseconds until the first piece of the body, or the end. */
  firstMs: number;
}

const JSON_TYPE = { "content-type": "application/json" };

/** The requests to every app, including routes that it does not have: its answers to those are compared, too. */
export const REQUESTS: readonly Asked[] = [
  { method: "GET", path: "/hello?name=w%C3%B6rld" },
  { method: "HEAD", path: "/hello?name=x" },
  { method: "OPTIONS", path: "/hello" },
  { method: "POST", path: "/json", headers: JSON_TYPE, body: '{"a":[1,2,{"b":"ü"}]}' },
  { method: "POST", path: "/json", headers: JSON_TYPE, body: '{"a":' },
  { method: "POST", path: "/json", headers: JSON_TYPE, body: "" },
  { method: "POST", path: "/form", headers: { "content-type": "application/x-www-form-urlencoded" }, body: "a=1&b=x+y" },
  { method: "POST", path: "/echo", headers: { "content-type": "text/plain" }, body: "large ".repeat(400_000) },
  { method: "GET", path: "/unknown/path?x=1" },
  { method: "PUT", path: "/hello" },
  { method: "GET", path: "/throw" },
  { method: "GET", path: "/rejects" },
  { method: "GET", path: "/redirect" },
  { method: "GET", path: "/cookies" },
  { method: "GET", path: "/204" },
  { method: "GET", path: "/304" },
  { method: "GET", path: "/etag", headers: { "if-none-match": 'W/"6-IvJyTP9TYx1GVHFmZFWBdBXVVV0"' } },
  { method: "GET", path: "/range", headers: { range: "bytes=10-19" } },
  { method: "GET", path: "/large" },
  { method: "GET", path: "/stream" },
  { method: "GET", path: "/sse", headers: { accept: "text/event-stream" } },
  { method: "DELETE", path: "/things/a%2Fb" },
  { method: "GET", path: "//double/slash" },
];

/** Headers of a response that belong to a connection or to Berth, and those that tell the time. */
const NOT_COMPARED = new Set(["connection", "keep-alive", "transfer-encoding", "date", "server-timing", "x-call-id", "x-berth-start", "x-berth-revision"]);

/** One request on a connection of its own; `base` is what stands before its path. */
export async function ask(port: number, base: string, { method, path, headers = {}, body }: Asked): Promise<Got> {
  const from = performance.now();
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const req = request({ host: "127.0.0.1", port, method, path: `${base}${path}`, agent: false, headers: { host: "app.test", ...headers, ...length } });
  req.end(body);
  const [res] = (await once(req, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  let firstMs = 0;
  for await (const chunk of res) {
    firstMs ||= performance.now() - from;
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  return { status: res.statusCode ?? 0, headers: compared(res, bytes), body: bytes.toString(), firstMs: firstMs || performance.now() - from };
}

/** Sends a request and leaves before the answer. */
export async function leave(port: number, base: string, path: string): Promise<void> {
  const req = request({ host: "127.0.0.1", port, path: `${base}${path}`, agent: false });
  req.on("error", () => {});
  req.end();
  await new Promise((done) => setTimeout(done, 300));
  req.destroy();
}

/** A body whose length is told is the same as one in chunks: the router tells it wherever it has the whole of it. */
function compared({ headers }: IncomingMessage, body: Buffer): Got["headers"] {
  const isFraming = (name: string) => name === "content-length" && Number(headers[name]) === body.length;
  // The space before a parameter means nothing (RFC 9110, 5.6.6): Fetch writes none, and adapters of it write one.
  const type = headers["content-type"] && { "content-type": headers["content-type"].replace(/;\s*/g, ";") };
  const kept = Object.entries({ ...headers, ...type }).filter(([name]) => !NOT_COMPARED.has(name) && !isFraming(name));
  return Object.fromEntries(kept.sort(([one], [other]) => (one < other ? -1 : 1)));
}
