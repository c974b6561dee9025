import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { FastifyInstance } from "fastify";
import { ManagerError } from "../../errors.ts";

/** The page loads what this listener serves, and nothing else: no script in the page, no other host, no frame around it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  // Asked for again each time, and answered with 304: a page of another version than its API would misread it.
  "cache-control": "no-cache",
};

const FILES = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/dashboard/app.js": ["app.js", "text/javascript; charset=utf-8"],
  "/dashboard/app.css": ["app.css", "text/css; charset=utf-8"],
} as const;

interface Served {
  plain: Buffer;
  zipped: Buffer;
  etag: string;
}

/** The dashboard: static text without secrets, which asks for a key where the API requires one. `dir`: where the build has put it. */
export function pageRoutes(app: FastifyInstance, dir: string): void {
  for (const [url, [file, type]] of Object.entries(FILES)) {
    let served: Served | null = null;
    app.get(url, { schema: { hide: true } }, async (request, reply) => {
      served ??= read(join(dir, file));
      reply.headers(HEADERS).header("etag", served.etag).header("vary", "accept-encoding").type(type);
      if (request.headers["if-none-match"] === served.etag) return reply.status(304).send();
      if (!/\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) return reply.send(served.plain);
      return reply.header("content-encoding", "gzip").send(served.zipped);
    });
  }
}

function read(path: string): Served {
  try {
    const plain = readFileSync(path);
    return { plain, zipped: gzipSync(plain, { level: 9 }), etag: `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"` };
  } catch (error) {
    throw new ManagerError("ROUTE_NOT_FOUND", `the dashboard is not built (npm run build): ${(error as Error).message}`);
  }
}
