import type { FastifyInstance } from "fastify";
import { ManagerError } from "../errors.ts";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/**
 * Refuses what a web page on this machine could send: a foreign Host (DNS rebinding) or a foreign
 * Origin (cross-site request). The API has no other protection on a loopback listener.
 */
export function refuseForeign(app: FastifyInstance): void {
  app.addHook("onRequest", async (request) => {
    const host = request.headers.host ?? "";
    const { origin } = request.headers;
    if (!LOOPBACK.has(hostname(host))) {
      throw new ManagerError("FOREIGN_REQUEST", `Host ${JSON.stringify(host.slice(0, 100))} is not this machine's`, "host");
    }
    if (origin !== undefined && origin !== `http://${host}`) {
      throw new ManagerError("FOREIGN_REQUEST", `Origin ${JSON.stringify(origin.slice(0, 100))} may not use this API`, "origin");
    }
  });
}

function hostname(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, "");
}
