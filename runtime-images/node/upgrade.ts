import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { callIdOf } from "./invoker.ts";
import { currentCall } from "./output.ts";
import type { GuardedResponse } from "./response.ts";

/** Takes over a connection that a client wants to be a WebSocket; called with what node:http's event `upgrade` is called with. */
export type Upgrade = (req: IncomingMessage, socket: Socket, head: Buffer) => unknown;

/** Gives a connection to the function. While it has sent nothing, `res` answers for it. */
export function runUpgrade(upgrade: Upgrade | null, req: IncomingMessage, res: GuardedResponse, socket: Socket, head: Buffer): void {
  const fail = (status: number, code: string, message: string) => {
    res.assignSocket(socket);
    res.platformError(status, code, message);
  };
  if (!upgrade) return fail(501, "UPGRADE_UNSUPPORTED", "the function exports no upgrade(req, socket, head)");
  // node:http's sockets stay half open, and a function that overlooks their end would keep its slot.
  socket.on("end", () => socket.end());
  const sentBefore = socket.bytesWritten;
  void currentCall.run(callIdOf(req), async () => {
    try {
      await upgrade(req, socket, head);
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      if (socket.bytesWritten > sentBefore) socket.destroy();
      else fail(500, "FUNCTION_ERROR", error instanceof Error ? error.message : String(error));
    }
  });
}
