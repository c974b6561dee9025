import { type Static, Type } from "typebox";
import { Compile } from "typebox/compile";
import { ManagerError } from "../errors.ts";
import { parseDuration } from "./duration.ts";
import type { RolloutPolicy } from "./function.ts";

const Duration = (description: string, fallback: string) =>
  Type.Union([Type.String({ pattern: "^\\d+(\\.\\d+)?(ms|s|m|h)?$" }), Type.Number({ minimum: 0 })], {
    description: `${description} A duration such as "500ms", "30s" or "5m", or a number of seconds.`,
    default: fallback,
  });

const Variables = (description: string) =>
  Type.Record(Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$" }), Type.String({ maxLength: 32_768 }), {
    description,
    maxProperties: 256,
    additionalProperties: false,
    default: {},
  });

const RolloutFields = Type.Partial(
  Type.Object({
    steps: Type.Array(Type.Union([Type.Integer({ minimum: 1, maximum: 1000 }), Type.String({ pattern: "^[1-9][0-9]?%$" })]), {
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
        pattern: "^[A-Za-z_$][A-Za-z0-9_$]*$",
        maxLength: 128,
      }),
    ),
    signature: Type.Optional(
      Type.Union([Type.Literal("fetch"), Type.Literal("lambda"), Type.Literal("node")], {
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

/** A complete, checked manifest; durations in milliseconds. */
export interface Manifest {
  runtime: string;
  handler: string | null;
  signature: "fetch" | "lambda" | "node" | null;
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

const schema = Compile(ManifestSchema);

/** Bounds of durations, in milliseconds. */
const LIMITS = {
  timeout: [1, 3_600_000],
  loadTimeout: [50, 300_000],
  idleTimeout: [1, 86_400_000],
  queueTimeout: [1, 600_000],
  "rollout.interval": [0, 86_400_000],
} as const;

/** Names that would change the process rather than the function. */
const RESERVED = /^(NODE_OPTIONS|LD_PRELOAD|LD_LIBRARY_PATH|NODE_CHANNEL_FD|NODE_CHANNEL_SERIALIZATION_MODE|BERTH_.*)$/;

/**
 * Checks a manifest. Fields that are left out come from `base` (defaults for a new function).
 * Throws `MANIFEST_INVALID` with the field.
 */
export function parseManifest(input: unknown, runtimes: readonly string[], base: Manifest = DEFAULTS): Manifest {
  if (!schema.Check(input)) {
    const [first] = schema.Errors(input);
    throw invalid(fieldOf(first), `${first?.message ?? "is not valid"}`);
  }
  const manifest: Manifest = {
    runtime: input.runtime ?? base.runtime,
    handler: input.handler ?? base.handler,
    signature: input.signature ?? base.signature,
    env: { ...(input.env ?? base.env) },
    secrets: { ...(input.secrets ?? base.secrets) },
    timeoutMs: duration("timeout", input.timeout, base.timeoutMs),
    loadTimeoutMs: duration("loadTimeout", input.loadTimeout, base.loadTimeoutMs),
    concurrency: input.concurrency ?? base.concurrency,
    minScale: input.minScale ?? base.minScale,
    maxScale: input.maxScale ?? base.maxScale,
    idleTimeoutMs: duration("idleTimeout", input.idleTimeout, base.idleTimeoutMs),
    queueDepth: input.queueDepth ?? base.queueDepth,
    queueTimeoutMs: duration("queueTimeout", input.queueTimeout, base.queueTimeoutMs),
    rollout: input.rollout === undefined ? base.rollout : policyOf(input.rollout, base.rollout ?? ROLLOUT),
  };
  crossCheck(manifest, runtimes);
  return manifest;
}

function policyOf(given: Static<typeof RolloutFields> | null, base: RolloutPolicy): RolloutPolicy | null {
  if (given === null) return null;
  const { steps = base.steps, interval, parallel = base.parallel, maxErrors = base.maxErrors } = given;
  return { steps: [...steps], intervalMs: duration("rollout.interval", interval, base.intervalMs), parallel, maxErrors };
}

function crossCheck(manifest: Manifest, runtimes: readonly string[]): void {
  if (!runtimes.includes(manifest.runtime)) {
    throw invalid("runtime", `"${manifest.runtime}" is not a runtime here; there is: ${runtimes.join(", ")}`);
  }
  if (manifest.minScale > manifest.maxScale) {
    throw invalid("minScale", `${manifest.minScale} is above maxScale ${manifest.maxScale}`);
  }
  for (const field of ["env", "secrets"] as const) {
    for (const name of Object.keys(manifest[field])) {
      if (RESERVED.test(name)) throw invalid(`${field}.${name}`, "this name is reserved");
      if (manifest[field][name]?.includes("\0")) throw invalid(`${field}.${name}`, "must not contain a NUL character");
    }
  }
  for (const name of Object.keys(manifest.secrets)) {
    if (name in manifest.env) throw invalid(`secrets.${name}`, "is also a variable under env");
  }
}

function duration(field: keyof typeof LIMITS, value: string | number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  const ms = parseDuration(value);
  const [min, max] = LIMITS[field];
  if (ms === null || ms < min || ms > max) {
    throw invalid(field, `${JSON.stringify(value)} is not a duration between ${min} ms and ${max / 1000} s`);
  }
  return ms;
}

function invalid(field: string, message: string): ManagerError {
  return new ManagerError("MANIFEST_INVALID", `${field || "manifest"}: ${message}`, field || undefined);
}

/** typebox reports JSON pointers; users read dotted paths. */
function fieldOf(error: { instancePath: string; params?: object } | undefined): string {
  const path = (error?.instancePath ?? "").slice(1).replaceAll("/", ".");
  const extra = (error?.params as { additionalProperties?: string[] } | undefined)?.additionalProperties?.[0];
  return [path, extra].filter(Boolean).join(".");
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

const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Function and pool names are DNS labels (RFC 1123). Throws `NAME_INVALID`. */
export function checkName(name: string): string {
  if (!NAME.test(name)) {
    throw new ManagerError("NAME_INVALID", `${JSON.stringify(name.slice(0, 80))} is not a valid name`, "name");
  }
  return name;
}
