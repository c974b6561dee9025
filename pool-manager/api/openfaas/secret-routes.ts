import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import type { Static } from "typebox";
import { ManagerError } from "../../errors.ts";
import { activeRevision, type FunctionRecord } from "../../functions/function.ts";
import type { ApiContext } from "../context.ts";
import type { Deploy } from "../routes/functions.ts";
import { checkNamespace, NAMESPACE, NamespaceQuery, SecretBody } from "./requests.ts";

type Secret = Static<typeof SecretBody>;

/**
 * `/system/secrets`: the secrets of functions, by name. A secret of Berth belongs to a function and is a variable of its
 * environment: one of the same name in several functions is one secret here, and a change of it is made in each of them.
 */
export function secretRoutes(instance: FastifyInstance, context: ApiContext, deploy: Deploy): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const { functions } = context;

  /** Gives each function that has the secret another value, or takes it away; one after another, so that a failure leaves the rest as it is. */
  const change = async (secret: Secret, value: string | null) => {
    checkNamespace(secret.namespace);
    const owners = ownersOf(functions.list(), secret.name);
    if (owners.length === 0) throw new ManagerError("SECRET_UNKNOWN", `no function has a secret ${named(secret)}`, "name");
    for (const { name } of owners) await deploy(name, { secrets: { [secret.name]: value } }, true);
  };

  app.get("/system/secrets", { schema: { hide: true, querystring: NamespaceQuery } }, async (request) => {
    checkNamespace(request.query.namespace);
    const names = new Set(functions.list().flatMap((record) => activeRevision(record).secretNames));
    return [...names].sort().map((name) => ({ name, namespace: NAMESPACE }));
  });

  app.post("/system/secrets", { schema: { hide: true, body: SecretBody } }, async ({ body }) => {
    checkNamespace(body.namespace);
    if (ownersOf(functions.list(), body.name).length > 0) throw new ManagerError("SECRET_EXISTS", `there is a secret ${named(body)} already`, "name");
    throw new ManagerError("SECRET_UNSUPPORTED", `no function has a secret ${named(body)}, and Berth keeps none apart from functions`, "name");
  });

  app.put("/system/secrets", { schema: { hide: true, body: SecretBody } }, async ({ body }, reply) => {
    await change(body, textOf(body));
    return reply.status(202).send();
  });

  app.delete("/system/secrets", { schema: { hide: true, body: SecretBody } }, async ({ body }, reply) => {
    await change(body, null);
    return reply.status(202).send();
  });
}

function ownersOf(records: readonly FunctionRecord[], secret: string): FunctionRecord[] {
  return records.filter((record) => activeRevision(record).secretNames.includes(secret));
}

/** The raw value comes first: in `value`, clients have replaced what is no UTF-8. */
function textOf(secret: Secret): string {
  if (!secret.rawValue) return secret.value ?? "";
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(secret.rawValue, "base64"));
  } catch {
    throw new ManagerError("MANIFEST_INVALID", `rawValue: ${named(secret)} is not text in UTF-8, and a secret is a variable of the environment`, "rawValue");
  }
}

function named({ name }: Secret): string {
  return JSON.stringify(name.slice(0, 80));
}
