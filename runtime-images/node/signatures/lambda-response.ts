import type { ServerResponse } from "node:http";
import { tellsOfAnother } from "../invocation/response.ts";

interface LambdaResult {
  statusCode?: number | string;
  headers?: Record<string, string | number | boolean | null | undefined>;
  multiValueHeaders?: Record<string, string[]>;
  cookies?: string[];
  body?: string;
  isBase64Encoded?: boolean;
}

/** Sends a result. One without a statusCode is the body itself, as JSON (a string as it is). */
export function send(result: unknown, res: ServerResponse): void {
  if (isStructured(result)) return sendStructured(result, res);
  if (typeof result !== "string") res.setHeader("content-type", "application/json");
  res.end(typeof result === "string" ? result : JSON.stringify(result ?? null));
}

/** Sends a result of payload format 1.0, which must have a statusCode. */
export function sendV1(result: unknown, res: ServerResponse): void {
  if (!isStructured(result)) throw new TypeError("the result has no statusCode, which payload format 1.0 requires");
  sendStructured(result, res);
}

function isStructured(result: unknown): result is LambdaResult {
  return typeof result === "object" && result !== null && (result as LambdaResult).statusCode !== undefined;
}

function sendStructured({ statusCode, headers, multiValueHeaders, cookies, body, isBase64Encoded }: LambdaResult, res: ServerResponse): void {
  const bytes = Buffer.from(isBase64Encoded ? (body ?? "") : bodyOf(body), isBase64Encoded ? "base64" : "utf8");
  setHead(res, { statusCode, headers, multiValueHeaders, cookies });
  frame(res, bytes.length);
  res.end(bytes);
}

/** Corrects the framing headers of a result, since the length of its body is known. */
function frame(res: ServerResponse, length: number): void {
  res.removeHeader("transfer-encoding");
  if (!tellsOfAnother(res, res.statusCode) && res.hasHeader("content-length")) res.setHeader("content-length", length);
}

/** Sets the status and headers of a result or of a stream's metadata. Headers without a value are left out. */
export function setHead(res: ServerResponse, { statusCode, headers, multiValueHeaders, cookies }: Omit<LambdaResult, "body">): void {
  res.statusCode = statusOf(statusCode ?? 200);
  for (const [name, value] of Object.entries(headers ?? {})) if (value !== undefined && value !== null) res.setHeader(name, String(value));
  for (const [name, values] of Object.entries(multiValueHeaders ?? {})) if (values) res.setHeader(name, united(values, res.getHeader(name)));
  for (const cookie of [cookies ?? []].flat()) res.appendHeader("set-cookie", cookie);
}

/** The values of a name in `multiValueHeaders`, and its value in `headers` if there is one. */
function united(values: readonly unknown[], single: unknown): string[] {
  const all = values.map(String);
  return single === undefined || all.includes(String(single)) ? all : [...all, String(single)];
}

function statusOf(given: number | string): number {
  const status = Number(given);
  if (!Number.isInteger(status) || status < 200 || status > 599) throw new RangeError(`statusCode ${JSON.stringify(given)} is not a status from 200 to 599`);
  return status;
}

/** The body as a string. API Gateway answers a body that is not a string with an error; here it is sent as JSON, as the handler meant it. */
function bodyOf(body: unknown): string {
  if (body === undefined || body === null) return "";
  return typeof body === "string" ? body : JSON.stringify(body);
}
