import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ManagerError } from "../../errors.ts";
import type { ApiContext } from "../context.ts";
import type { Deploy } from "../routes/functions.ts";
import { functionRoutes } from "./function-routes.ts";
import { secretRoutes } from "./secret-routes.ts";
import { systemRoutes } from "./system-routes.ts";

interface ManageApi {
  deploy: Deploy;
  /** Logs and counts an error, and names it. */
  settle(error: FastifyError, request: FastifyRequest): ManagerError;
}

/** OpenFaaS's API: `/system/…`. Its clients print the text of an error as it is. */
export function openFaasRoutes(scope: FastifyInstance, context: ApiContext, { deploy, settle }: ManageApi): void {
  scope.setErrorHandler((error: FastifyError, request, reply: FastifyReply) => {
    const { status, code, message, fix } = settle(error, request);
    return reply
      .status(status)
      .type("text/plain; charset=utf-8")
      .send(`${message.slice(0, 2000)} (${code}): ${fix}\n`);
  });
  // OpenFaaS reads JSON whatever the type says, and its documentation's curl commands name none.
  scope.addContentTypeParser("*", { parseAs: "string" }, scope.getDefaultJsonParser("error", "error"));
  functionRoutes(scope, context, deploy);
  secretRoutes(scope, context, deploy);
  systemRoutes(scope, context);
}
