import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import type { FunctionRecord } from "../../functions/function.ts";
import { parseTraffic, TrafficBody } from "../../functions/traffic.ts";
import type { ApiContext } from "../context.ts";
import * as schemas from "./schemas.ts";
import { lastRollout, viewFunction, viewRevisions } from "./views.ts";

/** Which revision of a function is invoked: `/v1/functions/NAME/revisions`, `/rollback`, `/rollout` and `/traffic`. */
export function releaseRoutes(instance: FastifyInstance, context: ApiContext): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const { functions, links } = context;
  const tags = ["functions"];

  /** What is answered holds for the invocations that follow. */
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
      // A request without a body is one without a wish.
      if (body !== undefined && validationError) throw validationError;
      return changed(await functions.rollback(params.name, body?.revision));
    },
  );

  app.get(
    "/v1/functions/:name/rollout",
    {
      schema: {
        tags,
        summary: "How the last rollout gets on",
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
        summary: "Hold a rollout up, let it go on, or have the old revision return",
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
        summary: "Share invocations out among revisions, and name revisions",
        params: schemas.NameParams,
        body: TrafficBody,
        response: { 200: schemas.FunctionView, default: schemas.ErrorBody },
      },
    },
    async (request) => changed(await functions.setTraffic(request.params.name, parseTraffic(request.body))),
  );
}
