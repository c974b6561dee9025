import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { ManagerError } from "../errors.ts";

/** Statuses by error code of Node's parser; any other is 400. */
const STATUS: Record<string, number> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };
const REASONS: Record<number, string> = { 400: "Bad Request", 405: "Method Not Allowed", 408: "Request Timeout", 431: "Request Header Fields Too Large" };

/**
 * Answers requests that never reach a route, in the API's error shape: bytes that are not HTTP, heads that are too large
 * or too slow, CONNECT, and expectations. `isAnswering`: whether a response has begun on this connection, so that nothing
 * else may be written to it.
 */
export function refuseBroken(server: Server, isAnswering: (socket: Duplex) => boolean): void {
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "ECONNRESET" || !socket.writable || isAnswering(socket)) return void socket.destroy();
    refuse(socket, STATUS[error.code ?? ""] ?? 400, `this is not a valid HTTP request: ${error.message.slice(0, 200)}`);
  });
  server.on("connect", (req: IncomingMessage, socket: Duplex) => {
    socket.on("error", () => {});
    refuse(socket, 405, `${req.method} is not a method of this API`);
  });
  server.on("checkExpectation", (_req, res) => {
    const body = bodyOf("only the expectation 100-continue is met");
    res.writeHead(417, { "content-type": "application/json", "content-length": Buffer.byteLength(body), connection: "close" }).end(body);
  });
}

function refuse(socket: Duplex, status: number, message: string): void {
  const body = bodyOf(message);
  const head = [`HTTP/1.1 ${status} ${REASONS[status]}`, "content-type: application/json", `content-length: ${Buffer.byteLength(body)}`, "connection: close"];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function bodyOf(why: string): string {
  const { code, message, fix } = new ManagerError("REQUEST_INVALID", why);
  return JSON.stringify({ error: { code, message, fix } });
}
