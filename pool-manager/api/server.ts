import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import Fastify, { type FastifyError, type FastifyInstance, LogController } from "fastify";
import type { Logger } from "pino";
import { MANAGER_ERRORS, ManagerError, type ManagerErrorCode } from "../errors.ts";
import type { ApiContext } from "./context.ts";
import { functionRoutes } from "./functions.ts";
import { guard } from "./guard.ts";
import { poolRoutes } from "./pools.ts";
import { releaseRoutes } from "./releases.ts";
import { validatorOf } from "./validate.ts";

/** The manage API: routes, OpenAPI at /docs, and one shape for every error. */
export async function buildApi(context: ApiContext, log: Logger): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024 * 1024,
    requestTimeout: 120_000,
    forceCloseConnections: true,
  }) as unknown as FastifyInstance;
  app.setValidatorCompiler(validatorOf);
  guard(app, context.keys);
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = error instanceof ManagerError ? error : translate(error);
    // What is only not there yet is the caller's to know, and no fault.
    if (known.status >= 500 && known.code !== "NOT_READY") request.log.error({ err: error, url: request.url }, known.message);
    const { code, message, fix, field } = known;
    return reply.status(known.status).send({ error: { code, message, fix, field } });
  });
  app.setNotFoundHandler((request, reply) => {
    const { code, message, fix } = new ManagerError("ROUTE_NOT_FOUND", `there is no ${request.method} ${request.url.slice(0, 200)}`);
    return reply.status(404).send({ error: { code, message, fix } });
  });
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Berth manage API", version: context.version, description: errorTable() },
    },
  });
  await app.register(swaggerUi, { routePrefix: "/docs" });
  await app.register(async (scope) => {
    functionRoutes(scope, context);
    releaseRoutes(scope, context);
    poolRoutes(scope, context);
    context.links.routes(scope);
  });
  return app;
}

/** Errors of the framework in the API's own codes. */
function translate(error: FastifyError): ManagerError {
  if (error.code === "FST_ERR_CTP_BODY_TOO_LARGE") return new ManagerError("CODE_TOO_LARGE", "the upload is too large");
  const status = error.statusCode ?? 500;
  if (status < 500) return new ManagerError("BODY_INVALID", error.message);
  return new ManagerError("INTERNAL", "the request failed inside berth");
}

function errorTable(): string {
  const rows = Object.entries(MANAGER_ERRORS).map(([code, [status, fix]]) => `| ${code as ManagerErrorCode} | ${status} | ${fix} |`);
  return ['Errors are `{"error": {code, message, fix, field?}}`.', "", "| code | status | fix |", "|---|---|---|", ...rows].join("\n");
}
