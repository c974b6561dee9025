import type { FastifyReply, FastifyRequest } from "fastify";

const HEARTBEAT_MS = 15_000;
/** Number of buffered bytes beyond which a slow reader is disconnected. */
const MAX_BEHIND = 1024 * 1024;

/** Turns a reply into a stream of server-sent events. `onClose` is called once. */
export function openStream(request: FastifyRequest, reply: FastifyReply, onClose: () => void): (data: unknown) => void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  raw.flushHeaders();
  // A write after the reader is disconnected emits an error, which is ignored.
  raw.on("error", () => {});
  const heartbeat = setInterval(() => raw.write(": alive\n\n"), HEARTBEAT_MS);
  request.raw.socket.setNoDelay(true);
  raw.on("close", () => {
    clearInterval(heartbeat);
    onClose();
  });
  return (data) => {
    raw.write(`data: ${JSON.stringify(data)}\n\n`);
    if (raw.writableLength > MAX_BEHIND) raw.destroy();
  };
}
