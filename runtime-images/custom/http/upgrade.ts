import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Call, currentCall } from "../../node/invocation/call.ts";
import type { Upgrade } from "../../node/invocation/upgrade.ts";
import { BERTH_PREFIX } from "../../protocol/headers.ts";
import { failed, respond } from "./relay.ts";
import { between, requestTo, type Upstream } from "./upstream.ts";

/** Passes a request for a WebSocket on, and then the bytes of both sides. */
export function relayUpgrade(upstream: Upstream): Upgrade {
  return (req, socket, head) => {
    const call = currentCall.getStore() as Call;
    const out = requestTo(upstream, req, { isKept: false, more: ["connection", "Upgrade", "upgrade", req.headers.upgrade ?? "websocket"] });
    socket.on("close", () => out.destroy());
    out.on("upgrade", (answer, other, first) => join(socket, other, headOf(answer), [head, first]));
    // The program refuses, with a response like any other.
    out.on("response", (answer) => {
      call.res.assignSocket(socket);
      respond(upstream, answer, call.res, call);
    });
    out.on("error", (error) => {
      if (socket.destroyed || call.res.headersSent) return;
      call.res.assignSocket(socket);
      void failed(upstream, error, call.res, call);
    });
    out.end();
  };
}

function join(socket: Socket, other: Duplex, answer: string, [toOther, toSocket]: [Buffer, Buffer]): void {
  socket.write(answer);
  if (toSocket.length > 0) socket.write(toSocket);
  if (toOther.length > 0) other.write(toOther);
  for (const [from, to] of [
    [socket, other],
    [other, socket],
  ] as const) {
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
  }
}

function headOf({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const headers = [...between(rawHeaders, (name) => !name.startsWith(BERTH_PREFIX)), "connection", "Upgrade", "upgrade", "websocket"];
  const lines = headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${headers[i + 1]}`] : []));
  return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join("\r\n")}\r\n\r\n`;
}
