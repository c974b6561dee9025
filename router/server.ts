import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Body, collect, KEPT_BYTES } from "./body.ts";
import type { RouterConfig } from "./config.ts";
import { RouterError } from "./errors.ts";
import type { FunctionEntry, Functions } from "./functions.ts";
import { Invocation } from "./invoke.ts";
import { sendError } from "./send-error.ts";

const PREFIX = "/function/";

/** The invocation listener: `ANY /function/{name}[/path]`. */
export function buildServer(config: RouterConfig, functions: Functions): Server {
  const server = createServer({ keepAliveTimeout: 65_000, headersTimeout: 20_000, requestTimeout: 0 }, (req, res) => {
    route(req, res, config, functions);
  });
  server.on("connection", (socket) => socket.setNoDelay(true));
  return server;
}

function route(req: IncomingMessage, res: ServerResponse, config: RouterConfig, functions: Functions): void {
  const url = req.url ?? "/";
  if (!url.startsWith(PREFIX)) return other(url, req, res, functions);
  const end = nameEnd(url);
  const name = url.slice(PREFIX.length, end);
  const entry = functions.get(name);
  if (!entry) {
    if (!functions.table.ready) return sendError(req, res, new RouterError("NOT_READY", "the router has no table yet", 1000));
    return sendError(req, res, new RouterError("FUNCTION_NOT_FOUND", `there is no function ${JSON.stringify(name.slice(0, 80))}`));
  }
  const rest = url.slice(end);
  invoke(entry, req, res, rest.startsWith("/") ? rest : `/${rest}`, config.maxBodyBytes);
}

function invoke(entry: FunctionEntry, req: IncomingMessage, res: ServerResponse, path: string, maxBytes: number): void {
  const arrivedAt = performance.now();
  const begin = (body: Buffer | Body | null) => {
    const invocation = new Invocation(entry, req, res, path, body, arrivedAt);
    entry.limiter.acquire(invocation);
    return invocation;
  };
  const length = req.headers["content-length"];
  if (length === undefined && req.headers["transfer-encoding"] === undefined) return void begin(null);
  const bytes = length === undefined ? null : Number(length);
  if (bytes !== null && bytes > maxBytes) return sendError(req, res, sizeError(maxBytes));
  if (bytes === 0) return void begin(null);
  if (bytes !== null && bytes <= KEPT_BYTES) return collect(req, bytes, (body) => void begin(body));
  let invocation: Invocation | null = null;
  const body = new Body(req, maxBytes, () => invocation?.end(sizeError(maxBytes)));
  invocation = begin(body);
}

function sizeError(maxBytes: number): RouterError {
  return new RouterError("BODY_TOO_LARGE", `the body is larger than ${maxBytes} bytes`);
}

function nameEnd(url: string): number {
  for (let i = PREFIX.length; i < url.length; i++) {
    const char = url.charCodeAt(i);
    if (char === 47 || char === 63) return i;
  }
  return url.length;
}

function other(url: string, req: IncomingMessage, res: ServerResponse, functions: Functions): void {
  const path = url.split("?")[0];
  if (path === "/healthz") return plain(res, 200, "ok");
  if (path === "/readyz") return functions.table.ready ? plain(res, 200, "ready") : plain(res, 503, "no table yet");
  sendError(req, res, new RouterError("PATH_INVALID", `there is nothing at ${JSON.stringify(url.slice(0, 100))}`));
}

function plain(res: ServerResponse, status: number, text: string): void {
  res.writeHead(status, { "content-type": "text/plain", "content-length": text.length + 1 });
  res.end(`${text}\n`);
}
