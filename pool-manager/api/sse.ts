import type { FastifyReply, FastifyRequest } from "fastify";

const HEARTBEAT_MS = 15_000;
/** Number of buffered bytes beyond which a slow reader is disconnected. */
const MAX_BEHIND = 1024 * 1024;

interface Format {
  type: string;
  frame(json: string): string;
  /** Keeps the connection, and means nothing to the reader. */
  heartbeat: string;
}

const EVENTS: Format = { type: "text/event-stream", frame: (json) => `data: ${json}\n\n`, heartbeat: ": alive\n\n" };
/** A line of JSON each; readers skip an empty line. */
export const JSON_LINES: Format = { type: "application/x-ndjson", frame: (json) => `${json}\n`, heartbeat: "\n" };

/** Turns a reply into a stream, of server-sent events by default. `onClose` is called once. */
export function openStream(request: FastifyRequest, reply: FastifyReply, onClose: () => void, format = EVENTS): (data: unknown) => void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { "content-type": format.type, "cache-control": "no-store" });
  raw.flushHeaders();
  // A write after the reader is disconnected emits an error, which is ignored.
  raw.on("error", () => {});
  const heartbeat = setInterval(() => raw.write(format.heartbeat), HEARTBEAT_MS);
  request.raw.socket.setNoDelay(true);
  raw.on("close", () => {
    clearInterval(heartbeat);
    onClose();
  });
  return (data) => {
    raw.write(format.frame(JSON.stringify(data)));
    if (raw.writableLength > MAX_BEHIND) raw.destroy();
  };
}
