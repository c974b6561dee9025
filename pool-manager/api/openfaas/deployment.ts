import type { Static } from "typebox";
import { ManagerError } from "../../errors.ts";
import type { DeploymentBody } from "./requests.ts";

/** Labels of OpenFaaS that Berth has a field for. */
export const SCALE_LABELS = { "com.openfaas.scale.min": "minScale", "com.openfaas.scale.max": "maxScale" } as const;
/** The variable that names the process, for images that start with OpenFaaS's watchdog. */
export const PROCESS_VARIABLE = "fprocess";
/** The names that `imageOf` returns for code; the group is the digest of its layer. */
const CODE_IMAGE = /^berth\/code@(sha256:[0-9a-f]{64})$/;

type Deployment = Static<typeof DeploymentBody>;

/** How a function's code is called. */
export type Call = Record<"runtime" | "handler" | "signature" | "command" | "health", unknown> & { image?: unknown };

/** The function as it is before the deployment. */
export interface Present {
  env: Record<string, string>;
  secrets: readonly string[];
}

/**
 * The name that clients see as the image of a function that was deployed as code; a deployment that names it has the same code. It is
 * the same for each function with this code, so that `faas-cli diff` finds none between a stack file and what it deployed.
 */
export function imageOf(layer: string): string {
  return `berth/code@${layer}`;
}

/** The digest of the code that an image stands for; null: it is an image of a registry. */
export function layerOf(image: string): string | null {
  return CODE_IMAGE.exec(image)?.[1] ?? null;
}

/**
 * A deployment of OpenFaaS as Berth's API takes it. Its variables replace those that there are. Secrets that it does not
 * name stay, since their values cannot be read back. `call`: how the code is called that the image stands for; null: the
 * image is one of a registry.
 *
 * | in the deployment | becomes |
 * |---|---|
 * | `image` | `code`, or `image` with the runtime `custom` |
 * | `envVars`, `envProcess` | `env` |
 * | the labels of `SCALE_LABELS` | `minScale`, `maxScale` |
 * | `limits` | `memory`, `cpu` |
 * | `secrets` | nothing: the function must have them |
 * | `constraints`, `readOnlyRootFilesystem` | `DEPLOYMENT_UNSUPPORTED` |
 * | other labels, `annotations`, `requests` | nothing |
 */
export function manifestOf(deployment: Deployment, call: Call | null, present: Present | null): Record<string, unknown> {
  refuseUnsupported(deployment);
  refuseMissingSecrets(deployment, present);
  const { image, envVars = {}, envProcess, labels = {}, limits } = deployment;
  const layer = layerOf(image);
  return {
    ...(layer === null ? { runtime: "custom", image } : { ...(present ? call : given(call)), code: layer }),
    env: { ...removalOf(present?.env ?? {}), ...envVars, ...(envProcess && { [PROCESS_VARIABLE]: envProcess }) },
    ...scaleOf(labels),
    ...(limits?.memory && { memory: limits.memory }),
    ...(limits?.cpu && { cpu: limits.cpu }),
  };
}

/** A new function has no fields to reset with null. */
function given(call: Call | null): Partial<Call> {
  return Object.fromEntries(Object.entries(call ?? {}).filter(([, value]) => value !== null));
}

function refuseUnsupported({ constraints = [], readOnlyRootFilesystem }: Deployment): void {
  if (constraints.length > 0) throw unsupported("constraints", "Berth chooses the nodes of a pool, not of a function");
  if (readOnlyRootFilesystem) throw unsupported("readOnlyRootFilesystem", "the pool's pods decide about it");
}

function unsupported(field: string, why: string): ManagerError {
  return new ManagerError("DEPLOYMENT_UNSUPPORTED", `${field}: ${why}`, field);
}

/** Clients take 404 for a function that is missing, and create it. */
function refuseMissingSecrets({ service, secrets = [] }: Deployment, present: Present | null): void {
  const missing = secrets.filter((name) => !present?.secrets.includes(name));
  if (missing.length > 0) throw new ManagerError("SECRET_MISSING", `${service.slice(0, 80)} has no secret ${missing.join(", ").slice(0, 200)}`, "secrets");
}

/** A merge patch that takes these variables away. */
function removalOf(env: Record<string, string>): Record<string, null> {
  return Object.fromEntries(Object.keys(env).map((name) => [name, null]));
}

function scaleOf(labels: Record<string, string>): Record<string, number> {
  const named = Object.entries(SCALE_LABELS).filter(([label]) => labels[label] !== undefined);
  return Object.fromEntries(named.map(([label, field]) => [field, countOf(label, labels[label] as string)]));
}

function countOf(label: string, text: string): number {
  if (!/^\d{1,6}$/.test(text))
    throw new ManagerError("MANIFEST_INVALID", `labels.${label}: must be a number, and is ${JSON.stringify(text.slice(0, 80))}`, "labels");
  return Number(text);
}
