import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyError, FastifyInstance } from "fastify";
import { ManagerError } from "../../errors.ts";
import { sinceMs } from "../../functions/logs.ts";
import { checkName } from "../../functions/manifest/manifest.ts";
import { ManifestSchema } from "../../functions/manifest/schema.ts";
import { objectOf } from "../body.ts";
import type { ApiContext } from "../context.ts";
import * as schemas from "../schemas/schemas.ts";
import { openStream } from "../sse.ts";
import { deploymentOf } from "./deployment.ts";
import { viewFunction } from "./views.ts";

/** `/v1/code`, in its own scope so that no other route accepts a tar. */
export async function codeRoutes(instance: FastifyInstance, { images, maxCodeBytes }: ApiContext): Promise<void> {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const tags = ["functions"];

  app.setErrorHandler<FastifyError>((error) => {
    throw error.code === "FST_ERR_CTP_BODY_TOO_LARGE" ? new ManagerError("CODE_TOO_LARGE", `the upload has more than ${maxCodeBytes} bytes`) : error;
  });
  app.addContentTypeParser(["application/x-tar", "application/octet-stream"], { parseAs: "buffer" }, (_req, body, done) => done(null, body));

  app.get("/v1/code", { schema: { tags, summary: "Limits of a code upload", response: { 200: schemas.CodeLimits } } }, async () => ({
    maxBytes: maxCodeBytes,
  }));

  app.post(
    "/v1/code",
    {
      bodyLimit: maxCodeBytes,
      schema: {
        tags,
        summary: "Upload code: a tar with index.mjs, index.cjs or index.js at its top, dependencies bundled",
        body: { content: { "application/x-tar": { schema: schemas.Bytes }, "application/octet-stream": { schema: schemas.Bytes } } },
        response: { 201: schemas.CodeResult, default: schemas.ErrorBody },
      },
    },
    async (request, reply) => {
      if (!Buffer.isBuffer(request.body)) throw new ManagerError("CODE_INVALID", "send the tar as application/x-tar");
      const { ref, size } = await images.upload(request.body);
      return reply.status(201).send({ digest: ref.layer, size, entry: ref.entry });
    },
  );
}

/** Deploys what the body of a `PUT` says, or of a `PATCH` if `keep`; resolves once the routers have confirmed it. */
export type Deploy = (name: string, body: unknown, keep: boolean) => Promise<unknown>;

/** `/v1/functions` and `/v1/functions/NAME`; returns what deploys there. */
export function functionRoutes(instance: FastifyInstance, context: ApiContext): Deploy {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const { functions, images, logs, links } = context;
  const tags = ["functions"];

  const deploy = async (name: string, body: unknown, keep: boolean) => {
    checkName(name);
    const { make, ref, placing } = await deploymentOf(name, objectOf(body), { keep, context });
    const deployed = await functions.deploy(name, make, ref, placing);
    if (ref) images.settle(ref.layer);
    await links.confirmed();
    return { ...viewFunction(deployed.record, context), newRevision: deployed.newRevision };
  };

  const deployed = { 200: schemas.DeployResult, 201: schemas.DeployResult, default: schemas.ErrorBody };

  app.put(
    "/v1/functions/:name",
    {
      attachValidation: true,
      schema: { tags, summary: "Create or replace a function", params: schemas.NewNameParams, body: schemas.DeployBody, response: deployed },
    },
    async (request, reply) => {
      const existed = functions.find(request.params.name) !== undefined;
      return reply.status(existed ? 200 : 201).send(await deploy(request.params.name, request.body, false));
    },
  );

  app.patch(
    "/v1/functions/:name",
    {
      attachValidation: true,
      schema: {
        tags,
        summary:
          "Change a function by a JSON Merge Patch (RFC 7386): fields and single variables left out are unchanged; null removes a variable, or resets a field to its default",
        params: schemas.NewNameParams,
        body: schemas.PatchBody,
        response: deployed,
      },
    },
    async (request) => deploy(request.params.name, request.body, true),
  );

  app.get("/v1/functions", { schema: { tags, summary: "List functions", response: { 200: schemas.Functions } } }, async () => ({
    items: functions.list().map((record) => viewFunction(record, context)),
  }));

  app.get(
    "/v1/functions/:name",
    { schema: { tags, summary: "One function", params: schemas.NameParams, response: { 200: schemas.FunctionView, default: schemas.ErrorBody } } },
    async (request) => viewFunction(functions.get(request.params.name), context),
  );

  app.delete(
    "/v1/functions/:name",
    {
      schema: {
        tags,
        summary: "Delete a function; invocations in flight get two seconds",
        params: schemas.NameParams,
        response: { 204: { type: "null" }, default: schemas.ErrorBody },
      },
    },
    async (request, reply) => {
      await functions.remove(request.params.name);
      await links.confirmed();
      return reply.status(204).send(null);
    },
  );

  app.get(
    "/v1/functions/:name/logs",
    {
      schema: {
        tags,
        summary: "Latest output of a function; with follow=true a stream of server-sent events",
        params: schemas.NameParams,
        querystring: schemas.LogsQuery,
        response: { 200: schemas.LogsAnswer, default: schemas.ErrorBody },
      },
    },
    async (request, reply) => {
      const { uid } = functions.get(request.params.name);
      const { follow, call, since } = request.query;
      const from = since === undefined ? undefined : sinceMs(since, Date.now());
      if (from === null) throw new ManagerError("PARAMETER_INVALID", `since: must be a day that there is, and is ${JSON.stringify(since)}`, "since");
      const { tail = from === undefined ? 100 : 1000 } = request.query;
      const items = logs.tail(uid, tail, call, from);
      if (!follow) return { items };
      let stop: () => void = () => {};
      const queue: unknown[] = [...items];
      let send: (data: unknown) => void = (data) => queue.push(data);
      const followed = logs.follow(uid, (entry) => {
        if (call === undefined || entry.callId === call) send(entry);
      });
      if (!followed) throw new ManagerError("TOO_MANY_STREAMS", `too many streams follow ${request.params.name}`);
      stop = followed;
      send = openStream(request, reply, () => stop());
      for (const entry of queue) send(entry);
      return reply;
    },
  );

  app.get("/v1/schemas/function", { schema: { tags, summary: "JSON Schema of a function's manifest" } }, async () => ManifestSchema);
  return deploy;
}
