import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { ManagerError } from "../../errors.ts";
import { activeRevision, type FunctionRecord } from "../../functions/function.ts";
import { settingsOf } from "../../functions/revisions.ts";
import type { ApiContext } from "../context.ts";
import type { Deploy } from "../routes/functions.ts";
import { type Call, layerOf, manifestOf, type Present } from "./deployment.ts";
import { checkNamespace, DeploymentBody, NameParams, NamespaceQuery, RemovalBody, ScaleBody } from "./requests.ts";
import { statusOf, surroundingsOf } from "./views.ts";

/** `/system/functions`, `/system/function/NAME` and `/system/scale-function/NAME`. */
export function functionRoutes(instance: FastifyInstance, context: ApiContext, deploy: Deploy): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const { functions, links } = context;

  const place = async (body: Static<typeof DeploymentBody>, record: FunctionRecord | null) => {
    checkNamespace(body.namespace);
    const layer = layerOf(body.image);
    if (layer === null && context.platform === "local") {
      throw new ManagerError(
        "IMAGE_NEEDS_CLUSTER",
        `${JSON.stringify(body.image.slice(0, 200))} is an image, and instances are processes of this machine`,
        "image",
      );
    }
    const call = layer === null ? null : callOf(context, layer);
    await deploy(body.service, manifestOf(body, call, record && presentOf(record)), record !== null);
  };

  app.get("/system/functions", { schema: { hide: true, querystring: NamespaceQuery } }, async (request) => {
    checkNamespace(request.query.namespace);
    const surroundings = await surroundingsOf(context);
    return functions.list().map((record) => statusOf(record, context, surroundings));
  });

  app.get("/system/function/:name", { schema: { hide: true, params: NameParams, querystring: NamespaceQuery } }, async (request) => {
    checkNamespace(request.query.namespace);
    return statusOf(functions.get(request.params.name), context, await surroundingsOf(context));
  });

  app.post("/system/functions", { schema: { hide: true, body: DeploymentBody } }, async ({ body }, reply) => {
    if (functions.find(body.service)) throw new ManagerError("FUNCTION_EXISTS", `there is a function ${body.service} already`, "service");
    await place(body, null);
    return reply.status(202).send();
  });

  app.put("/system/functions", { schema: { hide: true, body: DeploymentBody } }, async ({ body }, reply) => {
    await place(body, functions.get(body.service));
    return reply.status(202).send();
  });

  app.delete("/system/functions", { schema: { hide: true, body: RemovalBody } }, async ({ body }, reply) => {
    checkNamespace(body.namespace);
    await functions.remove(body.functionName);
    await links.confirmed();
    return reply.status(202).send();
  });

  app.post("/system/scale-function/:name", { schema: { hide: true, params: NameParams, body: ScaleBody } }, async ({ params, body }, reply) => {
    checkNamespace(body.namespace);
    functions.get(params.name);
    await deploy(params.name, { minScale: body.replicas }, true);
    return reply.status(202).send();
  });
}

/** How the code is called by the function that has it. Throws `CODE_UNKNOWN`: the code alone does not tell its runtime. */
function callOf({ functions }: ApiContext, layer: string): Call {
  const donor = functions.list().find(({ revisions }) => revisions.some((revision) => revision.layer === layer));
  const revision = donor?.revisions.findLast((candidate) => candidate.layer === layer);
  if (!donor || !revision) throw new ManagerError("CODE_UNKNOWN", `no function has the code ${layer}`, "image");
  const { runtime, handler, signature, command, health, image } = settingsOf(donor, revision);
  return { runtime, handler, signature, command, health, image };
}

function presentOf(record: FunctionRecord): Present {
  const { env, secretNames } = activeRevision(record);
  return { env, secrets: secretNames };
}
