import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";

/** Media types whose bodies API Gateway passes as text. */
const TEXT = /^(text\/|application\/(json|xml|javascript|x-www-form-urlencoded)\b)|\+(json|xml)\b/i;

/**
 * Converts a request to the event of API Gateway's HTTP APIs, payload format 2.0:
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
export function toEvent(req: IncomingMessage, body: Buffer, callId: string): unknown {
  const { path, query } = splitUrl(req.url ?? "/");
  const headers = headersOf(req);
  const isBase64Encoded = body.length > 0 && !isText(req, body);
  const parameters = parametersOf(query);
  const cookies = req.headers.cookie?.split(";").map((cookie) => cookie.trim());
  const now = timeOfRequest();
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString: query,
    ...(cookies && { cookies }),
    headers,
    ...(parameters && { queryStringParameters: parameters }),
    requestContext: {
      accountId: "anonymous",
      apiId: "berth",
      domainName: req.headers.host ?? "",
      domainPrefix: (req.headers.host ?? "").split(".")[0],
      http: {
        method: req.method,
        path,
        protocol: `HTTP/${req.httpVersion}`,
        sourceIp: sourceOf(req),
        userAgent: req.headers["user-agent"] ?? "",
      },
      requestId: callId,
      routeKey: "$default",
      stage: "$default",
      time: now.clf,
      timeEpoch: now.epoch,
    },
    ...(body.length > 0 && { body: textOf(body, isBase64Encoded) }),
    isBase64Encoded,
  };
}

/** The client's address. It is the first entry, because routers leave nothing in the list that they do not believe. */
export function sourceOf({ headers }: IncomingMessage): string {
  return String(headers["x-forwarded-for"] ?? "")
    .split(",")[0]
    ?.trim() as string;
}

export function textOf(body: Buffer, isBase64Encoded: boolean): string {
  return body.toString(isBase64Encoded ? "base64" : "utf8");
}

/** Splits a URL and keeps its path as it was sent: a URL parser would change `//host` and `..`. */
export function splitUrl(url: string): { path: string; query: string } {
  const at = url.indexOf("?");
  return at < 0 ? { path: url, query: "" } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

/** Values of one name are joined by commas. */
function parametersOf(query: string): Record<string, string> | null {
  if (query === "") return null;
  const found = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    const before = found.get(name);
    found.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(found);
}

function headersOf(req: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(req.headers)) headers[name] = Array.isArray(value) ? value.join(",") : (value ?? "");
  return headers;
}

/** Whether a body is passed as text: in a string, bytes that are not UTF-8 or have a content coding would be lost. */
export function isText(req: IncomingMessage, body: Buffer): boolean {
  const coding = req.headers["content-encoding"] ?? "identity";
  return coding.toLowerCase() === "identity" && TEXT.test(req.headers["content-type"] ?? "text/plain") && isUtf8(body);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The current time, in milliseconds and in the form `12/Mar/2020:19:03:58 +0000`. */
export function timeOfRequest(): { epoch: number; clf: string } {
  const epoch = Date.now();
  const second = Math.floor(epoch / 1000);
  if (second !== latest.second) latest = { second, clf: clfTime(new Date(epoch)) };
  return { epoch, clf: latest.clf };
}

/** The latest text: it changes once a second, and formatting it takes longer than all other fields of an event. */
let latest = { second: Number.NaN, clf: "" };

function clfTime(time: Date): string {
  const [date, clock] = [time.toISOString().slice(0, 10).split("-"), time.toISOString().slice(11, 19)];
  return `${date[2]}/${MONTHS[time.getUTCMonth()]}/${date[0]}:${clock} +0000`;
}
