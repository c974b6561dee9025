import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type Call, currentCall } from "./call.ts";
import { bindSocket } from "./call-events.ts";
import { logError, summaryOf } from "./describe.ts";
import { platformError } from "./response.ts";

/** A function's handler of WebSocket connections; it has the parameters of node:http's event `upgrade`. */
export type Upgrade = (req: IncomingMessage, socket: Socket, head: Buffer) => unknown;

/** Hands a connection to the function. If that fails before anything was sent, the call's response answers. */
export function runUpgrade(upgrade: Upgrade | null, req: IncomingMessage, call: Call, socket: Socket, head: Buffer): void {
  const fail = (status: number, code: string, message: string) => {
    call.res.assignSocket(socket);
    platformError(call.res, status, code, message);
  };
  if (!upgrade) return fail(501, "UPGRADE_UNSUPPORTED", "the function exports no upgrade(req, socket, head)");
  // node:http's sockets are half-open, and a function that ignores their end would keep its slot.
  socket.on("end", () => socket.end());
  const sentBefore = socket.bytesWritten;
  bindSocket(socket, call);
  void currentCall.run(call, async () => {
    try {
      await upgrade(req, socket, head);
    } catch (error) {
      logError(error);
      if (socket.bytesWritten > sentBefore) socket.destroy();
      else fail(500, "FUNCTION_ERROR", summaryOf(error));
    }
  });
}
