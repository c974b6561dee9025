import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { tellsOfAnother } from "./response.ts";

/** Settings of a head that is not sent yet. */
export interface HeldHead {
  /** Replaces the Content-Type; null: there is none; undefined: it stays as it is. */
  type: string | null | undefined;
}

/**
 * Delays the head of a response until the first write, flush or end. If the whole body comes with `end`, a Content-Length
 * in the head is corrected: handlers copy headers of other responses, and with a wrong length a client would wait for more
 * or lose the end. `fail` answers for a head that cannot be sent; its body is dropped.
 */
export function holdHead(res: ServerResponse, fail: (error: unknown) => void): HeldHead {
  const own: HeldHead = { type: undefined };
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
      const typed = own.type === undefined ? headers : withType(headers, own.type);
      writeHead.call(res, status, typed && isFixed ? fitted(typed, length) : typed);
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
  return own;
}

/** The headers with another Content-Type; null: with none. */
function withType(headers: OutgoingHttpHeaders = {}, type: string | null): OutgoingHttpHeaders {
  const others = Object.entries(headers).filter(([name]) => name.length !== 12 || name.toLowerCase() !== "content-type");
  return Object.fromEntries(type === null ? others : [...others, ["content-type", type]]);
}

/** Corrects a Content-Length, if there is one; node:http adds a missing one by itself. */
function fitted(headers: OutgoingHttpHeaders, length: number): OutgoingHttpHeaders {
  const name = Object.keys(headers).find((key) => key.length === 14 && key.toLowerCase() === "content-length");
  return name === undefined || Number(headers[name]) === length ? headers : { ...headers, [name]: length };
}

function sizeOf(body: unknown): number | null {
  if (body === undefined || body === null) return 0;
  if (typeof body === "string") return Buffer.byteLength(body);
  return body instanceof Uint8Array ? body.byteLength : null;
}
