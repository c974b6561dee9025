import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type Call, currentCall } from "./call.ts";
import { bindSocket } from "./call-events.ts";
import { logError, summaryOf } from "./describe.ts";
import { platformError } from "./response.ts";

/** Takes over a connection that a client wants to be a WebSocket; called with what node:http's event `upgrade` is called with. */
export type Upgrade = (req: IncomingMessage, socket: Socket, head: Buffer) => unknown;

/** Gives a connection to the function. While it has sent nothing, the call's response answers for it. */
export function runUpgrade(upgrade: Upgrade | null, req: IncomingMessage, call: Call, socket: Socket, head: Buffer): void {
  const fail = (status: number, code: string, message: string) => {
    call.res.assignSocket(socket);
    platformError(call.res, status, code, message);
  };
  if (!upgrade) return fail(501, "UPGRADE_UNSUPPORTED", "the function exports no upgrade(req, socket, head)");
  // node:http's sockets stay half open, and a function that overlooks their end would keep its slot.
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
