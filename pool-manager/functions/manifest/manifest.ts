import { Compile } from "typebox/compile";
import { type Resources, SIGNATURES, type Signature } from "../../../runtime-images/protocol/messages.ts";
import { ManagerError } from "../../errors.ts";
import { checkWarm } from "../../schedules/field.ts";
import type { RolloutPolicy, WindowScaling } from "../function.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { faultOf, PATTERNS } from "./field-fault.ts";
import { AUTO, STANDARD_IDLE_MS } from "./idle-timeout.ts";
import { checkResources, type ResourceBounds, resourcesOf } from "./resources.ts";
import { ManifestSchema, type Patch, PatchSchema } from "./schema.ts";
import { merged, refusal, refuseLost } from "./variables.ts";

/** A complete, checked manifest; durations in milliseconds. */
export interface Manifest {
  runtime: string;
  handler: string | null;
  signature: Signature | null;
  /** Of the runtime `custom`: the image that is started, by digest; null: the function is code. */
  image: string | null;
  /** Of the runtime `custom`; null: the file `bootstrap`, or the entry point of the image. */
  command: string | string[] | null;
  health: string | null;
  env: Record<string, string>;
  secrets: Record<string, string>;
  timeoutMs: number;
  loadTimeoutMs: number;
  concurrency: number;
  resources: Resources;
  minScale: number;
  maxScale: number;
  /** Schedules that raise `minScale`. */
  warm?: readonly string[];
  idleTimeoutMs: number;
  /** True if idle instances are kept as the recorded idle times say; `idleTimeoutMs` is then the standard time. */
  idleAuto?: boolean;
  queueDepth: number;
  queueTimeoutMs: number;
  /** Null: the number of instances follows the present demand. */
  windowScaling: WindowScaling | null;
  rollout: RolloutPolicy | null;
}

/** A function's manifest as it is in force. */
export interface InForce extends Manifest {
  name: string;
  /** Names of secrets whose values are lost: `secrets` lacks them. */
  lostSecrets: readonly string[];
}

/** The runtime of functions that are images. */
const IMAGES = "custom";

const manifestCheck = Compile(ManifestSchema);
const patchCheck = Compile(PatchSchema);

/** Bounds of durations, in milliseconds. */
const LIMITS = {
  timeout: [1, 3_600_000],
  loadTimeout: [50, 300_000],
  idleTimeout: [1, 86_400_000],
  queueTimeout: [1, 600_000],
  "rollout.interval": [0, 86_400_000],
  "scaling.window": [1000, 3_600_000],
  "scaling.scaleDownDelay": [0, 3_600_000],
} as const;

/** Checks a whole manifest; fields that it leaves out get their defaults. Throws `MANIFEST_INVALID` or `RESOURCES_UNAVAILABLE` with the field. */
export function parseManifest(input: unknown, runtimes: readonly string[], bounds: ResourceBounds | null = null): Manifest {
  if (!manifestCheck.Check(input)) throw fault(manifestCheck.Errors(input), ManifestSchema, input);
  return checked(input, DEFAULTS, runtimes, bounds);
}

/** Applies a change (`PatchSchema`) to the manifest in force. Throws `MANIFEST_INVALID` with the field, or `SECRETS_LOST` where it keeps a lost secret. */
export function patchManifest(input: unknown, runtimes: readonly string[], current: InForce, bounds: ResourceBounds | null = null): Manifest {
  if (!patchCheck.Check(input)) throw fault(patchCheck.Errors(input), PatchSchema, input);
  const patch = input as Patch;
  const { secrets } = patch;
  const lost = secrets === null ? [] : current.lostSecrets.filter((name) => !Object.hasOwn(secrets ?? {}, name));
  refuseLost(current.name, lost);
  return checked(patch, current, runtimes, bounds);
}

function checked(given: Patch, base: Manifest, runtimes: readonly string[], bounds: ResourceBounds | null): Manifest {
  const pick = <T>(value: T | null | undefined, kept: T, fallback: T): T => (value === undefined ? kept : (value ?? fallback));
  const manifest: Manifest = {
    // Images are run by one runtime only.
    runtime: pick(given.runtime, given.image ? IMAGES : base.runtime, DEFAULTS.runtime),
    handler: pick(given.handler, base.handler, null),
    signature: pick(given.signature, base.signature, null),
    image: pick(given.image, base.image, null),
    command: pick(given.command, base.command, null),
    health: pick(given.health, base.health, null),
    env: merged(base.env, given.env),
    secrets: merged(base.secrets, given.secrets),
    timeoutMs: duration("timeout", given.timeout, base.timeoutMs, DEFAULTS.timeoutMs),
    loadTimeoutMs: duration("loadTimeout", given.loadTimeout, base.loadTimeoutMs, DEFAULTS.loadTimeoutMs),
    concurrency: pick(given.concurrency, base.concurrency, DEFAULTS.concurrency),
    resources: resourcesOf(given, base.resources),
    minScale: pick(given.minScale, base.minScale, DEFAULTS.minScale),
    maxScale: pick(given.maxScale, base.maxScale, DEFAULTS.maxScale),
    ...((given.warm === undefined ? base.warm : given.warm)?.length && { warm: given.warm ?? base.warm }),
    ...idling(given.idleTimeout, base),
    queueDepth: pick(given.queueDepth, base.queueDepth, DEFAULTS.queueDepth),
    queueTimeoutMs: duration("queueTimeout", given.queueTimeout, base.queueTimeoutMs, DEFAULTS.queueTimeoutMs),
    windowScaling: given.scaling === undefined ? base.windowScaling : given.scaling && windowScalingOf(given.scaling, base.windowScaling ?? WINDOW_SCALING),
    rollout: given.rollout === undefined ? base.rollout : given.rollout && policyOf(given.rollout, base.rollout ?? ROLLOUT),
  };
  crossCheck(manifest, runtimes);
  checkResources(manifest.resources, manifest.runtime, bounds);
  for (const field of ["env", "secrets"] as const) checkVariables(field, given[field] ?? {}, manifest.runtime);
  return manifest;
}

/** The standard time, while nothing is recorded, is that of the schema's "auto". */
function idling(given: Patch["idleTimeout"], base: Manifest): Pick<Manifest, "idleTimeoutMs" | "idleAuto"> {
  if (given === undefined) return { idleTimeoutMs: base.idleTimeoutMs, ...(base.idleAuto && { idleAuto: true }) };
  if (given === AUTO) return { idleTimeoutMs: STANDARD_IDLE_MS, idleAuto: true };
  return { idleTimeoutMs: duration("idleTimeout", given, base.idleTimeoutMs, DEFAULTS.idleTimeoutMs) };
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

function windowScalingOf(given: NonNullable<Patch["scaling"]>, base: WindowScaling): WindowScaling {
  const { window, target = base.target, scaleDownDelay, activationScale = base.activationScale, maxScaleUpRate = base.maxScaleUpRate } = given;
  return {
    windowMs: duration("scaling.window", window, base.windowMs, WINDOW_SCALING.windowMs),
    target: target ?? WINDOW_SCALING.target,
    scaleDownDelayMs: duration("scaling.scaleDownDelay", scaleDownDelay, base.scaleDownDelayMs, WINDOW_SCALING.scaleDownDelayMs),
    activationScale: activationScale ?? WINDOW_SCALING.activationScale,
    maxScaleUpRate: maxScaleUpRate ?? WINDOW_SCALING.maxScaleUpRate,
  };
}

function crossCheck(manifest: Manifest, runtimes: readonly string[]): void {
  const { runtime, signature, minScale, maxScale, windowScaling, env, secrets } = manifest;
  if (!runtimes.includes(runtime)) throw missing(runtime, runtimes);
  const signatures: readonly Signature[] = SIGNATURES[runtime as keyof typeof SIGNATURES];
  if (signature !== null && !signatures.includes(signature))
    throw invalid("signature", `"${signature}" is not a signature of the runtime ${runtime}; there is: ${signatures.join(", ")}`);
  for (const field of ["image", "command", "health"] as const) {
    if (runtime !== "custom" && manifest[field] !== null) throw invalid(field, `is for the runtime custom, and this is ${runtime}`);
  }
  if (minScale > maxScale) throw invalid("minScale", `${minScale} is above maxScale ${maxScale}`);
  checkWarm(manifest.warm, maxScale, "maxScale");
  const { activationScale = 0 } = windowScaling ?? {};
  if (activationScale > maxScale) throw invalid("scaling.activationScale", `${activationScale} is above maxScale ${maxScale}`);
  for (const name of Object.keys(secrets)) {
    if (Object.hasOwn(env, name)) throw invalid(`secrets.${name}`, `is also a variable under env: take one of them away, by null or --unset ${name}`);
  }
}

/** The error for a runtime that is not offered here; it has its own code if Berth knows the runtime, since the manifest is right then. */
function missing(runtime: string, runtimes: readonly string[]): ManagerError {
  const message = `runtime: "${runtime}" is not a runtime here; there is: ${runtimes.join(", ")}`;
  return new ManagerError(Object.hasOwn(SIGNATURES, runtime) ? "RUNTIME_UNAVAILABLE" : "MANIFEST_INVALID", message, "runtime");
}

/** Checks the variables of this change only: those that an older Berth accepted stay. */
function checkVariables(field: "env" | "secrets", given: Record<string, string | null>, runtime: string): void {
  for (const [name, value] of Object.entries(given)) {
    const refused = value === null ? null : refusal(name, runtime);
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

/** Defaults of a rollout's fields. */
export const ROLLOUT: RolloutPolicy = { steps: ["10%", "50%"], intervalMs: 30_000, parallel: 1, maxErrors: 5 };

/** Defaults of the fields of scaling by windows. */
export const WINDOW_SCALING: WindowScaling = { windowMs: 60_000, target: 70, scaleDownDelayMs: 0, activationScale: 1, maxScaleUpRate: 1000 };

/** Defaults of a manifest's fields. */
export const DEFAULTS: Manifest = {
  runtime: "node",
  handler: null,
  signature: null,
  image: null,
  command: null,
  health: null,
  env: {},
  secrets: {},
  timeoutMs: 30_000,
  loadTimeoutMs: 10_000,
  concurrency: 100,
  resources: {},
  minScale: 0,
  maxScale: 20,
  idleTimeoutMs: 300_000,
  queueDepth: 1000,
  queueTimeoutMs: 30_000,
  windowScaling: null,
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
