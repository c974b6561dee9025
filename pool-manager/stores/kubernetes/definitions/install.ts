import { sleep } from "../../../async/wait.ts";
import { KubeError } from "../../../kubernetes/error.ts";
import type { Metadata } from "../../../kubernetes/objects.ts";
import { droppedFields, type KubeApi } from "../resource-client.ts";
import { DEFINITION_VERSION, definitions, RESOURCES, VERSION_ANNOTATION } from "./crds.ts";
import { DEFINITIONS } from "./definition-watch.ts";

const SERVED_MS = 15_000;
const RETRY_MS = 100;
/** How long an applied definition may take to show. */
const SHOWN_MS = 2000;
const FIX = "kubectl apply --server-side --force-conflicts -f deploy/chart/crds, as an administrator";
/** Fields whose loss costs no part of a record: missing ones only cause a warning. */
const EXPENDABLE: ReadonlySet<string> = new Set(["status.secret"]);
const OPENAPI = `/openapi/v3${RESOURCES}`;

type Schema = { properties?: Record<string, Schema>; items?: Schema; "x-kubernetes-preserve-unknown-fields"?: boolean };

interface DefinitionObject {
  metadata: Metadata;
  spec: { names: { kind: string; plural: string }; versions: { schema: { openAPIV3Schema: Schema } }[] };
}

/**
 * Updates the cluster's CustomResourceDefinitions to this version, if this user may and they are not of a later version.
 * Otherwise they must already exist with every field that Berth writes. Throws `KubeError` if they do not.
 */
export async function installDefinitions(kube: KubeApi, warn: (message: string) => void): Promise<void> {
  for (const definition of definitions() as DefinitionObject[]) {
    const failure = await install(kube, definition).then(
      () => null,
      (error: KubeError) => error,
    );
    if (failure === null) await served(kube, definition, warn);
    // A failed write does not matter if the definition is already complete.
    else if ((await check(kube, definition)).lacking?.length === 0) warn(`the definition ${definition.metadata.name} could not be written: ${failure.message}`);
    else throw failure;
  }
}

async function install(kube: KubeApi, definition: DefinitionObject): Promise<void> {
  const path = `${DEFINITIONS}/${definition.metadata.name}`;
  const current = await kube.get<DefinitionObject>(path).catch(pass(404, 403));
  // A later version has all fields of this one, and more, which must not be removed.
  if (current && versionOf(current) > DEFINITION_VERSION) return;
  await kube.patch(path, "apply", definition, "other", { fieldManager: "berth", force: "true" }).catch(pass(403));
}

/** Waits until the kind is served with every field: an applied definition shows only after a moment. */
async function served(kube: KubeApi, definition: DefinitionObject, warn: (message: string) => void): Promise<void> {
  const { name } = definition.metadata;
  for (const began = performance.now(); ; ) {
    const { isServed, lacking } = await check(kube, definition);
    if (isServed && lacking?.length === 0) return;
    if (isServed && lacking === null) return warn(`the definition ${name} cannot be read: whether it has every field is not known`);
    const waitedMs = performance.now() - began;
    const isWhole = lacking?.every((field) => EXPENDABLE.has(field)) ?? false;
    if (isServed && isWhole && waitedMs > SHOWN_MS) return warn(`the definition ${name} is of an older version and drops ${lacking?.join(", ")}: ${FIX}`);
    if (waitedMs > SERVED_MS) throw refusal(name, isServed, lacking ?? []);
    await sleep(RETRY_MS);
  }
}

/** Whether the kind is served, and which fields its schema lacks; null: the schema cannot be read. */
async function check(kube: KubeApi, definition: DefinitionObject): Promise<{ isServed: boolean; lacking: string[] | null }> {
  const path = `${RESOURCES}/namespaces/${kube.namespace}/${definition.spec.names.plural}`;
  const isServed = await kube.get(path, { limit: "1" }).then(() => true, pass(404));
  return { isServed: isServed === true, lacking: isServed ? await lackingFields(kube, definition) : null };
}

function refusal(name: string, isServed: boolean, lacking: readonly string[]): KubeError {
  if (!isServed) return new KubeError(404, "NoDefinition", `the cluster does not know ${name}: ${FIX}`);
  return new KubeError(0, "OldDefinition", `the definition ${name} is of an older version and would drop ${lacking.join(", ")}: ${FIX}`);
}

/** The fields that the served schema lacks; null: it cannot be read. */
async function lackingFields(kube: KubeApi, definition: DefinitionObject): Promise<string[] | null> {
  const schema = await servedSchema(kube, definition);
  const wanted = definition.spec.versions[0]?.schema.openAPIV3Schema;
  return schema && droppedFields(fieldsOf(wanted), fieldsOf(schema));
}

/** The schema from the definition itself or, if that may not be read, from the OpenAPI document, which every user may read. */
async function servedSchema(kube: KubeApi, { metadata, spec }: DefinitionObject): Promise<Schema | null> {
  const current = await kube.get<DefinitionObject>(`${DEFINITIONS}/${metadata.name}`).catch(pass(403));
  if (current) return current.spec.versions[0]?.schema.openAPIV3Schema ?? null;
  const described = await kube.get<{ components?: { schemas?: Record<string, Schema> } }>(OPENAPI).catch(pass(403, 404));
  const schemas = Object.entries(described?.components?.schemas ?? {});
  return schemas.find(([key]) => key.endsWith(`.${spec.names.kind}`))?.[1] ?? null;
}

/** An object that has all fields of the schema. */
function fieldsOf(schema: Schema | undefined): object {
  const { properties, items } = schema ?? {};
  if (properties) return Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, fieldsOf(one)]));
  return items ? { "[]": fieldsOf(items) } : {};
}

function versionOf({ metadata }: DefinitionObject): number {
  return Number(metadata.annotations?.[VERSION_ANNOTATION] ?? 0);
}

/** An error handler that turns these statuses into null. */
function pass(...statuses: number[]): (error: KubeError) => null {
  return (error) => {
    if (statuses.includes(error.status)) return null;
    throw error;
  };
}
