import { type Static, type TProperties, type TSchema, Type } from "typebox";
import { WarmField } from "../../schedules/field.ts";
import { PATTERNS } from "./field-fault.ts";
import { AUTO } from "./idle-timeout.ts";

const Duration = (description: string, fallback: string) =>
  Type.Union([Type.String({ pattern: PATTERNS.duration }), Type.Number({ minimum: 0 })], {
    description: `${description} A duration such as "500ms", "30s" or "5m", or a number of seconds.`,
    default: fallback,
  });

const Quantity = (pattern: string, description: string) => Type.Union([Type.String({ pattern, maxLength: 32 }), Type.Number({ minimum: 0 })], { description });

const Variables = (description: string) =>
  Type.Record(Type.String({ pattern: PATTERNS.variable }), Type.String({ maxLength: 32_768 }), {
    description,
    maxProperties: 256,
    additionalProperties: false,
    default: {},
  });

/** Those of all languages. */
const SIGNATURE_LITERALS = [
  Type.Literal("fetch"),
  Type.Literal("lambda"),
  Type.Literal("lambda-1.0"),
  Type.Literal("node"),
  Type.Literal("event"),
  Type.Literal("asgi"),
  Type.Literal("wsgi"),
  Type.Literal("http"),
  Type.Literal("cloud_event"),
  Type.Literal("server"),
];

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

const ScalingFields = Type.Partial(
  Type.Object({
    window: Duration("The time over which the concurrency is averaged; a tenth of it is the panic window.", "60s"),
    target: Type.Integer({ description: "Percent of its concurrency that an instance has on average.", minimum: 10, maximum: 100, default: 70 }),
    scaleDownDelay: Duration("How long fewer instances must be wanted before any is removed.", "0s"),
    activationScale: Type.Integer({ description: "Least instances while any is wanted.", minimum: 1, maximum: 1000, default: 1 }),
    maxScaleUpRate: Type.Number({
      description: "Factor by which the number of instances that serve may grow at a time.",
      minimum: 1.1,
      maximum: 1000,
      default: 1000,
    }),
  }),
  { additionalProperties: false },
);

/** A user's declaration of a function; everything has a default. Published at /v1/schemas/function. */
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
      Type.Union(SIGNATURE_LITERALS, {
        description: "How the handler is called; each runtime has its own ways. Left out: found from the export.",
      }),
    ),
    image: Type.Optional(
      Type.String({
        description:
          "Runtime custom, on a cluster: the image whose program is started instead of code, such as registry/name:tag@sha256:… Without a digest the tag is resolved when it is deployed. It listens on $PORT.",
        pattern: PATTERNS.image,
        maxLength: 512,
      }),
    ),
    command: Type.Optional(
      Type.Union([Type.String({ minLength: 1, maxLength: 4096 }), Type.Array(Type.String({ maxLength: 4096 }), { minItems: 1, maxItems: 100 })], {
        description:
          "Runtime custom: what is started in the code's directory, as a text or as a list of words; it listens on $PORT. Left out: the file bootstrap, which speaks the Lambda Runtime API; of an image its entry point.",
      }),
    ),
    health: Type.Optional(
      Type.String({
        description: "Runtime custom: a path that answers with a status from 200 to 299 once the command can serve. Left out: it has to listen.",
        pattern: PATTERNS.path,
        maxLength: 1024,
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
    memory: Quantity(PATTERNS.bytes, 'Memory of an instance, such as "256Mi". Above it the instance is replaced. Left out: not limited by the function.'),
    cpu: Quantity(PATTERNS.cpu, 'Processors of an instance, such as "500m" or "2". Left out: not limited.'),
    ephemeralStorage: Quantity(
      PATTERNS.bytes,
      'What an instance may write to its home and temporary directory, such as "1Gi". Left out: not limited by the function.',
    ),
    pids: Type.Integer({ description: "Processes and threads of an instance. Left out: not limited.", minimum: 32, maximum: 1_000_000 }),
    minScale: Type.Integer({ description: "Instances kept warm.", minimum: 0, maximum: 1000, default: 0 }),
    maxScale: Type.Integer({ description: "Most instances of the function.", minimum: 1, maximum: 1000, default: 20 }),
    warm: WarmField,
    idleTimeout: Type.Union([Type.String({ pattern: PATTERNS.duration }), Type.Number({ minimum: 0 }), Type.Literal(AUTO)], {
      description:
        'How long an idle instance is kept. A duration such as "500ms", "30s" or "5m", a number of seconds, or auto: as the recorded idle times of the function say, with an instance before an expected invocation.',
      default: "5m",
    }),
    queueDepth: Type.Integer({
      description: "Invocations that may wait for an instance; further ones get 429.",
      minimum: 0,
      maximum: 100_000,
      default: 1000,
    }),
    queueTimeout: Duration("How long an invocation may wait for an instance, its load included.", "30s"),
    scaling: Type.Union([ScalingFields, Type.Null()], {
      description: "Scaling by the average concurrency over a window. Left out or null: the number of instances follows the present demand.",
      default: null,
    }),
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
    scaling: Nullable(Type.Partial(Type.Object(nullable(ScalingFields.properties)), { additionalProperties: false })),
    rollout: Nullable(Type.Partial(Type.Object(nullable(RolloutFields.properties)), { additionalProperties: false })),
  }),
  { additionalProperties: false },
);

type Given = Static<typeof ManifestSchema>;
type OrNull<T> = { [K in keyof T]?: T[K] | null };
/** A change of a manifest, as `PatchSchema` has checked it. */
export type Patch = OrNull<Omit<Given, "env" | "secrets" | "scaling" | "rollout">> & {
  env?: Record<string, string | null> | null;
  secrets?: Record<string, string | null> | null;
  scaling?: OrNull<Static<typeof ScalingFields>> | null;
  rollout?: OrNull<Static<typeof RolloutFields>> | null;
};
