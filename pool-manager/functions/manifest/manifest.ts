import { type Static, type TProperties, type TSchema, Type } from "typebox";
import { Compile } from "typebox/compile";
import type { Signature } from "../../../runtime-images/protocol/messages.ts";
import { ManagerError } from "../../errors.ts";
import type { RolloutPolicy } from "../function.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { faultOf, PATTERNS } from "./field-fault.ts";
import { merged, refusal, refuseLost } from "./variables.ts";

const Duration = (description: string, fallback: string) =>
  Type.Union([Type.String({ pattern: PATTERNS.duration }), Type.Number({ minimum: 0 })], {
    description: `${description} A duration such as "500ms", "30s" or "5m", or a number of seconds.`,
    default: fallback,
  });

const Variables = (description: string) =>
  Type.Record(Type.String({ pattern: PATTERNS.variable }), Type.String({ maxLength: 32_768 }), {
    description,
    maxProperties: 256,
    additionalProperties: false,
    default: {},
  });

const RolloutFields = Type.Partial(
  Type.Object({
    steps: Type.Array(Type.Union([Type.Integer({ minimum: 1, maximum: 1000 }), Type.String({ pattern: PATTERNS.share })]), {
      description: 'What it has after each step: so many instances, or a share of instances and invocations such as "25%". In the end it has all.',
      maxItems: 20,
      default: ["10%", "50%"],
    }),
    interval: Duration("How long each step is watched before the next.", "30s"),
    parallel: Type.Integer({ description: "Most instances that change at a time.", minimum: 1, maximum: 1000, default: 1 }),
    maxErrors: Type.Integer({
      description: "Percent of the new revision's invocations that may fail; above it, and where it does not load, it is stopped and the old one returns.",
      minimum: 0,
      maximum: 100,
      default: 5,
    }),
  }),
  { additionalProperties: false },
);

/** What a user says of a function; everything has a default. Published at /v1/schemas/function. */
export const ManifestSchema = Type.Partial(
  Type.Object({
    runtime: Type.String({ description: "Runtime that the code needs.", default: "node" }),
    handler: Type.Optional(
      Type.String({
        description: "Name of the export that handles invocations. Left out: found by its signature.",
        pattern: PATTERNS.handler,
        maxLength: 128,
      }),
    ),
    signature: Type.Optional(
      Type.Union([Type.Literal("fetch"), Type.Literal("lambda"), Type.Literal("lambda-1.0"), Type.Literal("node"), Type.Literal("event")], {
        description: "How the handler is called. Left out: found from the export.",
      }),
    ),
    env: Variables("Environment variables."),
    secrets: Variables("Environment variables that are stored with mode 0600 and never listed or logged."),
    timeout: Duration("How long one invocation may run.", "30s"),
    loadTimeout: Duration("How long the code may take to load.", "10s"),
    concurrency: Type.Integer({
      description: "Simultaneous invocations per instance.",
      minimum: 1,
      maximum: 1000,
      default: 100,
    }),
    minScale: Type.Integer({ description: "Instances kept warm.", minimum: 0, maximum: 1000, default: 0 }),
    maxScale: Type.Integer({ description: "Most instances of the function.", minimum: 1, maximum: 1000, default: 20 }),
    idleTimeout: Duration("How long an idle instance is kept.", "5m"),
    queueDepth: Type.Integer({
      description: "Invocations that may wait for an instance; further ones get 429.",
      minimum: 0,
      maximum: 100_000,
      default: 1000,
    }),
    queueTimeout: Duration("How long an invocation may wait for an instance, its load included.", "30s"),
    rollout: Type.Union([RolloutFields, Type.Null()], {
      description: "How a new revision takes over, on the function's own instances. Left out or null: at once.",
      default: null,
    }),
  }),
  { $id: "https://berth.dev/schemas/function.json", title: "Function", additionalProperties: false },
);

const Nullable = (schema: TSchema) => Type.Union([schema, Type.Null()]);
const nullable = (properties: TProperties) => Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, Nullable(schema)]));
const VariableChanges = (description: string) =>
  Nullable(
    Type.Record(Type.String({ pattern: PATTERNS.variable }), Nullable(Type.String({ maxLength: 32_768 })), {
      description: `${description} Those that are left out stay; null takes one away.`,
      maxProperties: 256,
      additionalProperties: false,
    }),
  );

/** A change of a manifest, as a JSON Merge Patch (RFC 7386): what is left out stays as it is, null goes back to the default. */
export const PatchSchema = Type.Partial(
  Type.Object({
    ...nullable(ManifestSchema.properties),
    env: VariableChanges("Environment variables."),
    secrets: VariableChanges("Secret variables."),
    rollout: Nullable(Type.Partial(Type.Object(nullable(RolloutFields.properties)), { additionalProperties: false })),
  }),
  { additionalProperties: false },
);

type Given = Static<typeof ManifestSchema>;
type OrNull<T> = { [K in keyof T]?: T[K] | null };
type Patch = OrNull<Omit<Given, "env" | "secrets" | "rollout">> & {
  env?: Record<string, string | null> | null;
  secrets?: Record<string, string | null> | null;
  rollout?: OrNull<Static<typeof RolloutFields>> | null;
};

/** A complete, checked manifest; durations in milliseconds. */
export interface Manifest {
  runtime: string;
  handler: string | null;
  signature: Signature | null;
  env: Record<string, string>;
  secrets: Record<string, string>;
  timeoutMs: number;
  loadTimeoutMs: number;
  concurrency: number;
  minScale: number;
  maxScale: number;
  idleTimeoutMs: number;
  queueDepth: number;
  queueTimeoutMs: number;
  rollout: RolloutPolicy | null;
}

/** A function's manifest as it is in force. */
export interface InForce extends Manifest {
  name: string;
  /** Names of secrets whose values are lost: `secrets` lacks them. */
  lostSecrets: readonly string[];
}

const manifestCheck = Compile(ManifestSchema);
const patchCheck = Compile(PatchSchema);

/** Bounds of durations, in milliseconds. */
const LIMITS = {
  timeout: [1, 3_600_000],
  loadTimeout: [50, 300_000],
  idleTimeout: [1, 86_400_000],
  queueTimeout: [1, 600_000],
  "rollout.interval": [0, 86_400_000],
} as const;

/** Checks a whole manifest: what is left out is as by default. Throws `MANIFEST_INVALID` with the field. */
export function parseManifest(input: unknown, runtimes: readonly string[]): Manifest {
  if (!manifestCheck.Check(input)) throw fault(manifestCheck.Errors(input), ManifestSchema, input);
  return checked(input, DEFAULTS, runtimes);
}

/** Applies a change (`PatchSchema`) to the manifest in force. Throws `MANIFEST_INVALID` with the field, or `SECRETS_LOST` where it keeps a lost secret. */
export function patchManifest(input: unknown, runtimes: readonly string[], current: InForce): Manifest {
  if (!patchCheck.Check(input)) throw fault(patchCheck.Errors(input), PatchSchema, input);
  const patch = input as Patch;
  const { secrets } = patch;
  const lost = secrets === null ? [] : current.lostSecrets.filter((name) => !Object.hasOwn(secrets ?? {}, name));
  refuseLost(current.name, lost);
  return checked(patch, current, runtimes);
}

function checked(given: Patch, base: Manifest, runtimes: readonly string[]): Manifest {
  const pick = <T>(value: T | null | undefined, kept: T, fallback: T): T => (value === undefined ? kept : (value ?? fallback));
  const manifest: Manifest = {
    runtime: pick(given.runtime, base.runtime, DEFAULTS.runtime),
    handler: pick(given.handler, base.handler, null),
    signature: pick(given.signature, base.signature, null),
    env: merged(base.env, given.env),
    secrets: merged(base.secrets, given.secrets),
    timeoutMs: duration("timeout", given.timeout, base.timeoutMs, DEFAULTS.timeoutMs),
    loadTimeoutMs: duration("loadTimeout", given.loadTimeout, base.loadTimeoutMs, DEFAULTS.loadTimeoutMs),
    concurrency: pick(given.concurrency, base.concurrency, DEFAULTS.concurrency),
    minScale: pick(given.minScale, base.minScale, DEFAULTS.minScale),
    maxScale: pick(given.maxScale, base.maxScale, DEFAULTS.maxScale),
    idleTimeoutMs: duration("idleTimeout", given.idleTimeout, base.idleTimeoutMs, DEFAULTS.idleTimeoutMs),
    queueDepth: pick(given.queueDepth, base.queueDepth, DEFAULTS.queueDepth),
    queueTimeoutMs: duration("queueTimeout", given.queueTimeout, base.queueTimeoutMs, DEFAULTS.queueTimeoutMs),
    rollout: given.rollout === undefined ? base.rollout : given.rollout && policyOf(given.rollout, base.rollout ?? ROLLOUT),
  };
  crossCheck(manifest, runtimes);
  for (const field of ["env", "secrets"] as const) checkVariables(field, given[field] ?? {});
  return manifest;
}

function policyOf(given: NonNullable<Patch["rollout"]>, base: RolloutPolicy): RolloutPolicy {
  const { steps = base.steps, interval, parallel = base.parallel, maxErrors = base.maxErrors } = given;
  return {
    steps: [...(steps ?? ROLLOUT.steps)],
    intervalMs: duration("rollout.interval", interval, base.intervalMs, ROLLOUT.intervalMs),
    parallel: parallel ?? ROLLOUT.parallel,
    maxErrors: maxErrors ?? ROLLOUT.maxErrors,
  };
}

function crossCheck({ runtime, minScale, maxScale, env, secrets }: Manifest, runtimes: readonly string[]): void {
  if (!runtimes.includes(runtime)) throw invalid("runtime", `"${runtime}" is not a runtime here; there is: ${runtimes.join(", ")}`);
  if (minScale > maxScale) throw invalid("minScale", `${minScale} is above maxScale ${maxScale}`);
  for (const name of Object.keys(secrets)) {
    if (Object.hasOwn(env, name)) throw invalid(`secrets.${name}`, `is also a variable under env: take one of them away, by null or --unset ${name}`);
  }
}

/** Of what is given alone: what an older Berth has taken stays. */
function checkVariables(field: "env" | "secrets", given: Record<string, string | null>): void {
  for (const [name, value] of Object.entries(given)) {
    const refused = value === null ? null : refusal(name);
    if (refused) throw invalid(`${field}.${name}`, refused);
    if (value?.includes("\0")) throw invalid(`${field}.${name}`, "must not contain a NUL character");
  }
}

function duration(field: keyof typeof LIMITS, value: string | number | null | undefined, kept: number, fallback: number): number {
  if (value === undefined) return kept;
  if (value === null) return fallback;
  const ms = parseDuration(value);
  const [min, max] = LIMITS[field];
  if (ms === null || ms < min || ms > max) {
    throw invalid(field, `must be a duration from ${formatDuration(min)} to ${formatDuration(max)}, and is ${JSON.stringify(value)}`);
  }
  return ms;
}

function fault(errors: Parameters<typeof faultOf>[0], schema: object, input: unknown): ManagerError {
  const { field, message } = faultOf(errors, schema, input);
  return invalid(field, message);
}

function invalid(field: string, message: string): ManagerError {
  return new ManagerError("MANIFEST_INVALID", `${field || "manifest"}: ${message}`, field || undefined);
}

/** What is not said of a rollout. */
export const ROLLOUT: RolloutPolicy = { steps: ["10%", "50%"], intervalMs: 30_000, parallel: 1, maxErrors: 5 };

/** What is not said. */
export const DEFAULTS: Manifest = {
  runtime: "node",
  handler: null,
  signature: null,
  env: {},
  secrets: {},
  timeoutMs: 30_000,
  loadTimeoutMs: 10_000,
  concurrency: 100,
  minScale: 0,
  maxScale: 20,
  idleTimeoutMs: 300_000,
  queueDepth: 1000,
  queueTimeoutMs: 30_000,
  rollout: null,
};

const NAME = new RegExp(PATTERNS.name);

/** Function and pool names are DNS labels (RFC 1123). Throws `NAME_INVALID`. */
export function checkName(name: string): string {
  if (!NAME.test(name)) {
    throw new ManagerError("NAME_INVALID", `${JSON.stringify(name.slice(0, 80))} is not a valid name`, "name");
  }
  return name;
}
