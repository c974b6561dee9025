import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import type { FunctionRecord } from "../../functions/function.ts";
import { parseTraffic, TrafficBody } from "../../functions/traffic.ts";
import type { ApiContext } from "../context.ts";
import * as schemas from "../schemas/schemas.ts";
import { lastRollout, viewFunction, viewRevisions } from "./views.ts";

/** Routes that choose the served revisions: `/v1/functions/NAME/revisions`, `/rollback`, `/rollout` and `/traffic`. */
export function releaseRoutes(instance: FastifyInstance, context: ApiContext): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const { functions, links } = context;
  const tags = ["functions"];

  /** Answers once the routers have confirmed the change, so that it applies to later invocations. */
  const changed = async (record: FunctionRecord) => {
    await links.confirmed();
    return viewFunction(record, context);
  };

  app.get(
    "/v1/functions/:name/revisions",
    { schema: { tags, summary: "Revisions, oldest first", params: schemas.NameParams, response: { 200: schemas.Revisions, default: schemas.ErrorBody } } },
    async (request) => ({ items: viewRevisions(functions.get(request.params.name)) }),
  );

  app.post(
    "/v1/functions/:name/rollback",
    {
      attachValidation: true,
      schema: {
        tags,
        summary: "Make an older revision active",
        params: schemas.NameParams,
        body: schemas.RollbackBody,
        response: { 200: schemas.FunctionView, default: schemas.ErrorBody },
      },
    },
    async (request) => {
      const { params, body, validationError } = request;
      // The body is optional: without one, the previous revision is meant.
      if (body !== undefined && validationError) throw validationError;
      return changed(await functions.rollback(params.name, body?.revision));
    },
  );

  app.get(
    "/v1/functions/:name/rollout",
    {
      schema: {
        tags,
        summary: "State of the last rollout",
        params: schemas.NameParams,
        response: { 200: schemas.RolloutView, default: schemas.ErrorBody },
      },
    },
    async (request) => lastRollout(functions.get(request.params.name)),
  );

  app.post(
    "/v1/functions/:name/rollout/:verb",
    {
      schema: {
        tags,
        summary: "Pause, resume or undo a rollout",
        params: schemas.RolloutParams,
        response: { 200: schemas.RolloutView, default: schemas.ErrorBody },
      },
    },
    async (request) => {
      const { name, verb } = request.params;
      const record = await functions.steer(name, verb);
      await links.confirmed();
      return lastRollout(record);
    },
  );

  app.put(
    "/v1/functions/:name/traffic",
    {
      attachValidation: true,
      schema: {
        tags,
        summary: "Split invocations among revisions, set aliases of revisions, and keep instances of them",
        params: schemas.NameParams,
        body: TrafficBody,
        response: { 200: schemas.FunctionView, default: schemas.ErrorBody },
      },
    },
    async (request) => changed(await functions.setTraffic(request.params.name, parseTraffic(request.body))),
  );
}
