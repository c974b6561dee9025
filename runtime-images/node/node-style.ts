import { finished } from "node:stream";
import type { Handle } from "./invoker.ts";

/** `(req, res)`, as node:http and Express call it. It has settled when its response has ended. */
export function nodeHandle(target: unknown): Handle {
  const handler = target as (req: unknown, res: unknown, next: (error?: unknown) => void) => unknown;
  return (req, res) =>
    new Promise<void>((resolve, reject) => {
      finished(res, () => resolve());
      const next = (error?: unknown) => {
        if (error) return reject(error);
        res.statusCode = 404;
        res.end();
      };
      try {
        Promise.resolve(handler(req, res, next)).catch(reject);
      } catch (error) {
        reject(error);
      }
    });
}
