import { Server } from "node:http";
import type { Handle } from "../invocation/invoker.ts";

type Next = (error?: unknown) => void;
type Handler = (req: unknown, res: unknown, next?: Next) => unknown;

/** `(req, res)`, as node:http calls it: a function, an application of Express or Connect, or a server. It has settled when its response has ended. */
export function nodeHandle(target: unknown): Handle {
  const handler = handlerOf(target);
  const takesNext = handler.length >= 3 && !isApplication(handler);
  return (req, res) =>
    new Promise<void>((resolve, reject) => {
      // Node emits it after each response, however that ended; `finished()` adds seven listeners to learn the same.
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

/** It answers what none of its handlers does (404, errors); middleware calls `next` for that. */
function isApplication(handler: Handler): boolean {
  const { handle, use } = handler as Handler & { handle?: unknown; use?: unknown };
  return typeof handle === "function" || typeof use === "function";
}
