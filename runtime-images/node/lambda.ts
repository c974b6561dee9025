import type { IncomingMessage } from "node:http";
import type { Handle } from "./invoker.ts";
import type { LoadedFrom } from "./ipc.ts";
import type { GuardedResponse } from "./response.ts";

interface LambdaResult {
  statusCode?: number;
  headers?: Record<string, string | number | boolean>;
  multiValueHeaders?: Record<string, string[]>;
  cookies?: string[];
  body?: string;
  isBase64Encoded?: boolean;
}

type Callback = (error: unknown, result?: unknown) => void;
type LambdaHandler = (event: unknown, context: unknown, callback: Callback) => unknown;

/** `exports.handler = async (event, context) => …` with API Gateway's HTTP events (payload format 2.0). */
export function lambdaHandle(target: unknown, from: LoadedFrom): Handle {
  const handler = target as LambdaHandler;
  return async (req, res, callId) => {
    const deadline = performance.now() + from.settings.timeoutMs;
    const event = toEvent(req, await readBody(req), callId);
    const context = {
      awsRequestId: callId,
      functionName: from.functionName,
      getRemainingTimeInMillis: () => Math.max(0, deadline - performance.now()),
      callbackWaitsForEmptyEventLoop: false,
    };
    send(await call(handler, event, context), res);
  };
}

function call(handler: LambdaHandler, event: unknown, context: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const callback: Callback = (error, result) => (error ? reject(error) : resolve(result));
    const returned = handler(event, context, callback);
    if (returned instanceof Promise || handler.length < 3) resolve(returned);
  });
}

async function readBody(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function toEvent(req: IncomingMessage, body: Buffer, callId: string): unknown {
  const url = new URL(req.url ?? "/", "http://function");
  const text = /^(text\/|application\/(json|xml|javascript|x-www-form-urlencoded))|\+(json|xml)\b/;
  const isBase64Encoded = body.length > 0 && !text.test(req.headers["content-type"] ?? "text/plain");
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(req.headers)) headers[name] = Array.isArray(value) ? value.join(",") : (value ?? "");
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    queryStringParameters: Object.fromEntries(url.searchParams),
    cookies: req.headers.cookie?.split("; ") ?? [],
    headers,
    requestContext: {
      requestId: callId,
      timeEpoch: Date.now(),
      stage: "$default",
      domainName: req.headers.host ?? "",
      http: {
        method: req.method,
        path: url.pathname,
        protocol: `HTTP/${req.httpVersion}`,
        sourceIp: headers["x-forwarded-for"]?.split(",")[0]?.trim() ?? "",
        userAgent: req.headers["user-agent"] ?? "",
      },
    },
    body: body.length === 0 ? undefined : body.toString(isBase64Encoded ? "base64" : "utf8"),
    isBase64Encoded,
  };
}

/** A result without a statusCode is the body itself, as JSON (a string as it is). */
function send(result: unknown, res: GuardedResponse): void {
  if (isStructured(result)) return sendStructured(result, res);
  if (typeof result !== "string") res.setHeader("content-type", "application/json");
  res.end(typeof result === "string" ? result : JSON.stringify(result ?? null));
}

function isStructured(result: unknown): result is LambdaResult {
  return typeof result === "object" && result !== null && (result as LambdaResult).statusCode !== undefined;
}

function sendStructured({ statusCode, headers, multiValueHeaders, cookies, body, isBase64Encoded }: LambdaResult, res: GuardedResponse): void {
  res.statusCode = statusCode ?? 200;
  for (const [name, value] of Object.entries(headers ?? {})) res.setHeader(name, String(value));
  for (const [name, values] of Object.entries(multiValueHeaders ?? {})) res.setHeader(name, values);
  if (cookies?.length) res.setHeader("set-cookie", cookies);
  res.end(isBase64Encoded ? Buffer.from(body ?? "", "base64") : (body ?? ""));
}
