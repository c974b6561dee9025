import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ManagerError } from "../../errors.ts";
import type { ApiContext } from "../context.ts";
import { functionRoutes } from "./function-routes.ts";
import { secretRoutes } from "./secret-routes.ts";
import { systemRoutes } from "./system-routes.ts";

/** OpenFaaS's API: `/system/…`. Its clients print the text of an error as it is. `settle` logs and counts an error, and names it. */
export function openFaasRoutes(scope: FastifyInstance, context: ApiContext, settle: (error: FastifyError, request: FastifyRequest) => ManagerError): void {
  scope.setErrorHandler((error: FastifyError, request, reply: FastifyReply) => {
    const { status, code, message, fix } = settle(error, request);
    return reply
      .status(status)
      .type("text/plain; charset=utf-8")
      .send(`${message.slice(0, 2000)} (${code}): ${fix}\n`);
  });
  functionRoutes(scope, context);
  secretRoutes(scope, context);
  systemRoutes(scope, context);
}
