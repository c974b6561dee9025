import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from "node:http";
import { BERTH_PREFIX, ERROR_HEADER, PARKED_HEADER, REFUSED_HEADER, REFUSED_STATUS, type Refusal } from "../protocol/headers.ts";

const MAX_ERROR_BODY = 4096;

/** A response on which a function cannot set the platform's own headers: a forged refusal would be retried. */
export class GuardedResponse extends ServerResponse<IncomingMessage> {
  override setHeader(name: string, value: number | string | readonly string[]): this {
    return isOurs(name) ? this : super.setHeader(name, value);
  }

  override appendHeader(name: string, value: string | readonly string[]): this {
    return isOurs(name) ? this : super.appendHeader(name, value as string | string[]);
  }

  override writeHead(status: number, ...rest: unknown[]): this {
    const headers = rest.at(-1);
    if (headers && typeof headers === "object") rest[rest.length - 1] = guarded(headers as OutgoingHttpHeaders);
    return (super.writeHead as (status: number, ...rest: unknown[]) => this)(status, ...rest);
  }

  /** The request waited `ms` milliseconds for the code to load. */
  parkedFor(ms: number): void {
    super.setHeader(PARKED_HEADER, ms.toFixed(2));
  }

  refuse(why: Refusal): void {
    super.setHeader(REFUSED_HEADER, why);
    super.writeHead(REFUSED_STATUS, { "content-length": 0 });
    this.end();
  }

  /** An error of the platform's, or of the code outside the function's control. */
  platformError(status: number, code: string, message: string): void {
    if (this.headersSent) {
      this.destroy();
      return;
    }
    const body = JSON.stringify({ error: { code, message: message.slice(0, MAX_ERROR_BODY) } });
    super.setHeader(ERROR_HEADER, code);
    super.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
    this.end(body);
  }
}

function isOurs(name: string): boolean {
  return name.length > BERTH_PREFIX.length && name.slice(0, BERTH_PREFIX.length).toLowerCase() === BERTH_PREFIX;
}

function guarded(headers: OutgoingHttpHeaders | OutgoingHttpHeader[]): OutgoingHttpHeaders | OutgoingHttpHeader[] {
  if (!Array.isArray(headers)) return Object.fromEntries(Object.entries(headers).filter(([name]) => !isOurs(name)));
  const kept: OutgoingHttpHeader[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name, value] = [headers[i], headers[i + 1]];
    if (name !== undefined && value !== undefined && !isOurs(String(name))) kept.push(name, value);
  }
  return kept;
}
