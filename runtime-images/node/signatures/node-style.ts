import { Server } from "node:http";
import type { Handle } from "../invocation/invoker.ts";

type Next = (error?: unknown) => void;
type Handler = (req: unknown, res: unknown, next?: Next) => unknown;

/** Calls `(req, res)` as node:http does: a function, an application of Express or Connect, or a server. The invocation settles when its response has ended. */
export function nodeHandle(target: unknown): Handle {
  const handler = handlerOf(target);
  const takesNext = handler.length >= 3 && !isApplication(handler);
  return (req, res) =>
    new Promise<void>((resolve, reject) => {
      // Node emits `close` after every response, however it ended; `finished()` would add seven listeners for the same.
      res.on("close", resolve);
      const next: Next = (error) => {
        if (error) return reject(error);
        res.statusCode = 404;
        res.end();
      };
      try {
        Promise.resolve(takesNext ? handler(req, res, next) : handler(req, res)).catch(reject);
      } catch (error) {
        reject(error);
      }
    });
}

function handlerOf(target: unknown): Handler {
  if (target instanceof Server) return (req, res) => target.emit("request", req, res);
  return target as Handler;
}

/** Whether this is an application, which answers 404 and errors itself; middleware calls `next` for these. */
function isApplication(handler: Handler): boolean {
  const { handle, use } = handler as Handler & { handle?: unknown; use?: unknown };
  return typeof handle === "function" || typeof use === "function";
}
