import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { tellsOfAnother } from "./response.ts";

/**
 * Has the head of a response wait for what comes with it, in the same turn. A body that is whole has the length that it
 * has: handlers copy headers of other responses, and a client would wait for the rest or miss it. `fail` answers for a
 * head that cannot be sent; nothing of its body is.
 */
export function holdHead(res: ServerResponse, fail: (error: unknown) => void): void {
  const { writeHead, flushHeaders, write, end } = res;
  let held: { status: number; headers: OutgoingHttpHeaders | undefined } | null = null;
  let failed = false;
  const send = (length: number | null): boolean => {
    if (!held) return !failed;
    const { status, headers } = held;
    held = null;
    // The error of a body has been answered instead.
    if (res.headersSent) failed = true;
    if (failed) return false;
    const isFixed = length !== null && !tellsOfAnother(res, status);
    try {
      writeHead.call(res, status, headers && isFixed ? fitted(headers, length) : headers);
    } catch (error) {
      failed = true;
      fail(error);
    }
    return !failed;
  };
  const hold = (status: number, headers?: OutgoingHttpHeaders) => {
    held = { status, headers };
    return res;
  };
  Object.assign(res, {
    writeHead: hold,
    flushHeaders: () => send(null) && flushHeaders.call(res),
    write: (...args: Parameters<typeof write>) => send(null) && write.apply(res, args),
    end: (...args: Parameters<typeof end>) => (send(sizeOf(args[0])) ? end.apply(res, args) : res),
  });
}

/** Only where a length is told: node:http adds one by itself where there is none. */
function fitted(headers: OutgoingHttpHeaders, length: number): OutgoingHttpHeaders {
  const name = Object.keys(headers).find((key) => key.length === 14 && key.toLowerCase() === "content-length");
  return name === undefined || Number(headers[name]) === length ? headers : { ...headers, [name]: length };
}

function sizeOf(body: unknown): number | null {
  if (body === undefined || body === null) return 0;
  if (typeof body === "string") return Buffer.byteLength(body);
  return body instanceof Uint8Array ? body.byteLength : null;
}
