import { API_KEY_HEADER } from "../../pool-manager/client/api-keys.ts";
import { CALL_ID_HEADER, ERROR_HEADER, LOG_HEADER, REVISION_HEADER } from "../../runtime-images/protocol/headers.ts";
import { sendError } from "../downstream/error-response.ts";
import type { Exchange, InFlight, RequestBody } from "../downstream/exchange.ts";
import { fieldOf } from "../downstream/http1-exchange.ts";
import { errorCodeOf, type RouterErrorCode } from "../errors.ts";
import { apiErrorOf, functionError } from "./api-errors.ts";

/** A client of Lambda's API presents its key as the session token of its credentials. */
const TOKEN_HEADER = "x-amz-security-token";
/** Headers about the client and its connection, which the function does not get. The client's `content-type` is not that of the payload. */
const OF_CLIENT = new Set(["authorization", TOKEN_HEADER, "x-amz-date", "x-amz-content-sha256", "content-type", "accept-encoding"]);
/** The largest description of an error that is read; runtimes write less. */
const MAX_FAULT_BYTES = 256 * 1024;

interface Fault {
  code: RouterErrorCode;
  headers: readonly string[];
  chunks: Buffer[];
  size: number;
}

/** A call of Lambda's Invoke, which the router serves like any other invocation. Its answers have the form that Lambda's clients expect. */
export class InvokeExchange implements Exchange {
  readonly method = "POST";
  readonly upgrade = false;
  readonly rawHeaders: readonly string[];
  protected readonly inner: Exchange;
  /** An error of the platform or of the function, of which the description is being read. */
  #fault: Fault | null = null;

  constructor(inner: Exchange) {
    this.inner = inner;
    this.rawHeaders = requestHeaders(inner.rawHeaders);
  }

  get url(): string {
    return this.inner.url;
  }

  get host(): string {
    return this.inner.host;
  }

  get remoteAddress(): string {
    return this.inner.remoteAddress;
  }

  header(name: string): string | undefined {
    return this.inner.header(name) ?? (name === API_KEY_HEADER ? this.inner.header(TOKEN_HEADER) : undefined);
  }

  takeBody(maxBytes: number, begin: (body: RequestBody) => InFlight): void {
    this.inner.takeBody(maxBytes, begin, (error) => sendError(this, error));
  }

  onClose(listener: () => void): void {
    this.inner.onClose(listener);
  }

  /** Lambda's API has no hints. */
  inform(): void {}

  writeHead(status: number, _text: string, headers: readonly string[], resume: () => void): void {
    const code = errorCodeOf(fieldOf(headers, ERROR_HEADER));
    if (code) this.#fault = { code, headers, chunks: [], size: 0 };
    else this.inner.writeHead(200, "OK", answerHeaders(headers, status >= 400), resume);
  }

  write(chunk: Buffer): boolean {
    const fault = this.#fault;
    if (!fault) return this.inner.write(chunk);
    fault.size += chunk.length;
    if (fault.size <= MAX_FAULT_BYTES) fault.chunks.push(chunk);
    return true;
  }

  end(): void {
    if (this.#fault) this.#describe(this.#fault.code, this.#fault.headers, Buffer.concat(this.#fault.chunks).toString());
    else this.inner.end();
  }

  answer(_status: number, headers: readonly string[], body: string): void {
    this.#describe(errorCodeOf(fieldOf(headers, ERROR_HEADER)) ?? "REQUEST_INVALID", headers, body);
  }

  /** Answers a dry run that would be served. */
  approve(): void {
    this.inner.writeHead(204, "No Content", [], () => {});
    this.inner.end();
  }

  join(): void {
    this.inner.destroy();
  }

  destroy(): void {
    this.inner.destroy();
  }

  #describe(code: RouterErrorCode, headers: readonly string[], text: string): void {
    const content = parsed(text);
    // A handler's error has its form already; any other has that of Berth's errors.
    const { status, headers: own, body } = content.error ? apiErrorOf(code, content.error.message) : functionError(content);
    const kept = answerHeaders(headers, false).filter((_, i, all) => !isOfBody(all[i - (i % 2)] as string));
    this.inner.answer(status, [...kept, "content-type", "application/json", ...own], body);
  }
}

/** A call that another router serves, whose answer has the right form already. */
export class PassedOnExchange extends InvokeExchange {
  override writeHead(status: number, text: string, headers: readonly string[], resume: () => void): void {
    this.inner.writeHead(status, text, headers, resume);
  }
}

function requestHeaders(raw: readonly string[]): string[] {
  const kept = ["content-type", "application/json"];
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    if (!OF_CLIENT.has(name) && !name.startsWith("amz-sdk-")) kept.push(raw[i] as string, raw[i + 1] as string);
  }
  return kept;
}

/** The headers of a response; `isFailed`: a function that answers HTTP has answered with an error. */
function answerHeaders(headers: readonly string[], isFailed: boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (name === LOG_HEADER) kept.push("x-amz-log-result", headers[i + 1] as string);
    else if (!name.startsWith("x-amz")) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  const [id, revision] = [fieldOf(headers, CALL_ID_HEADER), fieldOf(headers, REVISION_HEADER)];
  if (id !== undefined) kept.push("x-amzn-requestid", id);
  if (revision !== undefined) kept.push("x-amz-executed-version", revision);
  if (isFailed) kept.push("x-amz-function-error", "Unhandled");
  return kept;
}

function isOfBody(name: string): boolean {
  return /^content-(type|length)$/i.test(name);
}

function parsed(text: string): { error?: { message: string } } {
  try {
    return JSON.parse(text) as { error?: { message: string } };
  } catch {
    return { error: { message: "the error's description is too long" } };
  }
}
