import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from "fastify";
import type { Logger } from "pino";
import { MANAGER_ERRORS, ManagerError, type ManagerErrorCode } from "../errors.ts";
import { guard } from "./browser-guard.ts";
import type { ApiContext } from "./context.ts";
import { documented, withOptionalBodies } from "./document.ts";
import { pageRoutes } from "./live/page.ts";
import { liveRoutes } from "./live/routes.ts";
import { openFaasRoutes } from "./openfaas/routes.ts";
import { PathMethods } from "./path-methods.ts";
import { adviceRoutes } from "./routes/advice.ts";
import { codeRoutes, functionRoutes } from "./routes/functions.ts";
import { loadRoutes } from "./routes/loads.ts";
import { poolRoutes } from "./routes/pools.ts";
import { releaseRoutes } from "./routes/releases.ts";
import { validatorOf } from "./validate.ts";

/** Codes of normal states, which are no faults. */
const NORMAL: ReadonlySet<ManagerErrorCode> = new Set(["NOT_READY", "NO_ROUTER"]);
/** Maximum length of an error message in characters; messages quote the request. */
const MAX_MESSAGE = 2000;

/** The manage API: routes, OpenAPI at /docs, and one shape for every error. */
export async function buildApi(context: ApiContext, log: Logger): Promise<FastifyInstance> {
  const settle = (error: FastifyError, request: FastifyRequest): ManagerError => {
    const known = error instanceof ManagerError ? error : translate(error);
    // 501 says what there is not, which is no fault either.
    if (known.status >= 500 && known.status !== 501 && !NORMAL.has(known.code)) request.log.error({ err: error, url: clip(request.url) }, known.message);
    context.failed(known.code);
    return known;
  };
  const answer = (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
    const { code, message, fix, field, status } = settle(error, request);
    return reply.status(status).send({ error: { code, message: clip(message, MAX_MESSAGE), fix, field } });
  };
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024 * 1024,
    requestTimeout: 120_000,
    forceCloseConnections: true,
    // Longer than any percent-encoded name that the document allows, so that a longer name is answered as not found.
    routerOptions: { maxParamLength: 1000 },
    // Requests that Fastify's router refuses, such as an undecodable path, reach no hook and are answered here.
    frameworkErrors: (error, request, reply) => answer(error as FastifyError, request as FastifyRequest, reply as unknown as FastifyReply),
  }) as unknown as FastifyInstance;
  app.setValidatorCompiler(validatorOf);
  guard(app, context.keys);
  app.setErrorHandler(answer);
  const paths = new PathMethods();
  app.addHook("onRoute", ({ url, method }) => paths.add(url, method));
  // Before the body is read: a wrong method takes precedence over an invalid body.
  app.addHook("onRequest", async (request, reply) => {
    if (!request.is404) return;
    const [path = ""] = request.url.split("?");
    const allowed = paths.of(path);
    if (allowed.length === 0) throw new ManagerError("ROUTE_NOT_FOUND", `there is no ${clip(path)}`);
    reply.header("allow", allowed.join(", "));
    throw new ManagerError("METHOD_NOT_ALLOWED", `${clip(path)} has no ${request.method}`);
  });
  await app.register(swagger, {
    transform: ({ schema, url }) => ({ schema: documented(schema), url }),
    transformObject: (document) => ("openapiObject" in document ? withOptionalBodies(document.openapiObject) : document.swaggerObject),
    openapi: {
      openapi: "3.1.0",
      info: { title: "Berth manage API", version: context.version, description: errorTable() },
    },
  });
  await app.register(swaggerUi, { routePrefix: "/docs" });
  await app.register(async (scope) => {
    await scope.register(codeRoutes, context);
    const deploy = functionRoutes(scope, context);
    releaseRoutes(scope, context);
    loadRoutes(scope, context);
    poolRoutes(scope, context);
    adviceRoutes(scope, context);
    liveRoutes(scope, context);
    pageRoutes(scope, context.dashboardDir);
    context.links.routes(scope);
    await scope.register(async (openFaas) => openFaasRoutes(openFaas, context, { deploy, settle }));
  });
  return app;
}

/** Errors of the framework in the API's own codes. */
function translate(error: FastifyError): ManagerError {
  if (error.code === "FST_ERR_CTP_BODY_TOO_LARGE") return new ManagerError("BODY_TOO_LARGE", "the body is too large");
  if (error.code === "FST_ERR_BAD_URL") return new ManagerError("REQUEST_INVALID", `the path cannot be decoded: ${clip(error.message)}`);
  if (error.code === "FST_ERR_CTP_INVALID_MEDIA_TYPE")
    return new ManagerError("BODY_INVALID", "the body is not sent as JSON: give it with content-type: application/json (curl -H)", "content-type");
  const status = error.statusCode ?? 500;
  if (status < 500) return new ManagerError("BODY_INVALID", error.message);
  return new ManagerError("INTERNAL", "the request failed inside berth");
}

function errorTable(): string {
  const rows = Object.entries(MANAGER_ERRORS).map(([code, [status, fix]]) => `| ${code as ManagerErrorCode} | ${status} | ${fix} |`);
  return ['Errors are `{"error": {code, message, fix, field?}}`.', "", "| code | status | fix |", "|---|---|---|", ...rows].join("\n");
}

function clip(text: string, most = 200): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
