import { type Static, type TObject, type TProperties, Type } from "typebox";
import { PATTERNS } from "../../functions/manifest/field-fault.ts";
import { ManifestSchema, PatchSchema } from "../../functions/manifest/schema.ts";
import { OPTIONAL } from "../document.ts";
import { IdleMemoryView, IdlingView, ScheduledView, SizingView, WindowsView } from "./advice.ts";

export const ErrorBody = Type.Object(
  {
    error: Type.Object({
      code: Type.String({ description: "Stable; see docs/errors.md." }),
      message: Type.String(),
      fix: Type.String({ description: "How to fix it." }),
      field: Type.Optional(Type.String({ description: "Invalid field of the request." })),
    }),
  },
  { description: "Error" },
);

export const NameParams = Type.Object({ name: Type.String({ maxLength: 200 }) });

/** Parameters of a route that may create the function. */
export const NewNameParams = Type.Object({ name: Type.String({ pattern: PATTERNS.name }) });

const Deployment = {
  code: Type.String({ description: "Digest that POST /v1/code returned." }),
  canary: Type.Integer({
    description: "Percentage of the invocations that the revision gets beside the active one. If absent, it becomes the active one.",
    minimum: 0,
    maximum: 100,
  }),
  onceLoaded: Type.Boolean({
    description:
      "If true, the revision takes over once an instance has loaded it, and never if it does not load; POST …/revisions/REVISION/load waits for that. If false or absent, it takes over at once. The steps of a rollout follow afterwards.",
  }),
};

export const DeployBody = Type.Partial(Type.Object({ ...ManifestSchema.properties, ...Deployment }), {
  description: "Manifest of the function, and the digest of its code.",
  additionalProperties: false,
});

export const PatchBody = Type.Partial(Type.Object({ ...PatchSchema.properties, ...Deployment }), {
  description: "Change of the manifest (RFC 7386), and the digest of new code.",
  additionalProperties: false,
});

export const RollbackBody = Type.Object(
  { revision: Type.Optional(Type.String({ description: "Revision to return to. If absent, the one that was active before." })) },
  { additionalProperties: false, [OPTIONAL]: true },
);

export const CodeResult = Type.Object({
  digest: Type.String(),
  size: Type.Integer({ description: "Size of the function layer in bytes." }),
  entry: Type.String({ description: "Module that will be loaded." }),
});

export const CodeLimits = Type.Object({ maxBytes: Type.Integer({ description: "Maximum size of the tar that POST /v1/code accepts." }) });

export const RevisionView = Type.Object({
  id: Type.String(),
  active: Type.Boolean(),
  createdAt: Type.String(),
  activatedAt: Type.Union([Type.String(), Type.Null()], { description: "When it last became the active revision; null if never." }),
  code: Type.String({ description: "Digest of the function layer." }),
  image: Type.String({ description: "Digest of the code image." }),
  entry: Type.String(),
  concurrency: Type.Integer(),
  timeout: Type.String(),
  env: Type.Record(Type.String(), Type.String()),
  secrets: Type.Array(Type.String(), { description: "Names only." }),
});

export const RevisionParams = Type.Object({ name: Type.String({ maxLength: 200 }), revision: Type.String({ maxLength: 32 }) });

export const LoadQuery = Type.Object(
  {
    wait: Type.Optional(
      Type.String({ description: 'Maximum wait, such as "10s", which is the default; at most 30s.', pattern: PATTERNS.duration, maxLength: 16 }),
    ),
  },
  { additionalProperties: false },
);

export const RolloutParams = Type.Object({
  name: Type.String({ maxLength: 200 }),
  verb: Type.Union([Type.Literal("pause"), Type.Literal("resume"), Type.Literal("undo")]),
});

export const RolloutView = Type.Object(
  {
    from: Type.String(),
    to: Type.String({ description: "Revision that is taking over." }),
    state: Type.String({ description: "rolling, paused, undone (by a user), stopped (because of a failure) or complete." }),
    step: Type.String({ description: "Current step." }),
    steps: Type.Array(Type.String()),
    watching: Type.Boolean({ description: "True once the step's share and instances are reached: the step is observed for the policy's interval." }),
    percent: Type.Integer({ description: "Percentage of the invocations that the new revision gets." }),
    reason: Type.Union([Type.String(), Type.Null()], { description: "Why it was stopped or undone." }),
    startedAt: Type.String(),
  },
  { description: "A rollout: a revision that takes over step by step." },
);

export const FunctionView = Type.Object({
  name: Type.String(),
  uid: Type.String(),
  runtime: Type.String(),
  revision: Type.String({ description: "Active revision." }),
  pool: Type.String({ description: "Pool that instances of the active revision come from." }),
  latest: Type.String({ description: "Last deployed revision; another one may be active." }),
  createdAt: Type.String(),
  url: Type.Union([Type.String(), Type.Null()], { description: "URL to invoke it." }),
  handler: Type.Union([Type.String(), Type.Null()]),
  signature: Type.Union([Type.String(), Type.Null()]),
  image: Type.Union([Type.String(), Type.Null()], { description: "Image that is started, by digest; null: it is code." }),
  command: Type.Union([Type.String(), Type.Array(Type.String()), Type.Null()]),
  health: Type.Union([Type.String(), Type.Null()]),
  timeout: Type.String(),
  loadTimeout: Type.String(),
  concurrency: Type.Integer(),
  memory: Type.Union([Type.String(), Type.Null()], { description: "Limit of an instance; null: none of the function's own." }),
  cpu: Type.Union([Type.String(), Type.Null()]),
  ephemeralStorage: Type.Union([Type.String(), Type.Null()]),
  pids: Type.Union([Type.Integer(), Type.Null()]),
  minScale: Type.Integer(),
  maxScale: Type.Integer(),
  warm: Type.Array(Type.String(), { description: "Schedules that raise minScale." }),
  scheduled: Type.Union([ScheduledView, Type.Null()]),
  idleTimeout: Type.String({ description: "A duration, or auto: see idling." }),
  queueDepth: Type.Integer(),
  queueTimeout: Type.String(),
  env: Type.Record(Type.String(), Type.String()),
  secrets: Type.Array(Type.String(), { description: "Names only." }),
  split: Type.Record(Type.String(), Type.Integer(), { description: "Percentage of the invocations by revision; the active one gets the rest." }),
  aliases: Type.Record(Type.String(), Type.String(), { description: "Revision by alias." }),
  minScales: Type.Record(Type.String(), Type.Integer(), { description: "Instances that are kept of revisions beside the active one, by revision." }),
  scaling: Type.Union([Type.Object({}, { additionalProperties: true }), Type.Null()], { description: "Scaling by windows; null if by the present demand." }),
  rollout: Type.Union([Type.Object({}, { additionalProperties: true }), Type.Null()], { description: "How a new revision takes over; null if at once." }),
  rolling: Type.Union([RolloutView, Type.Null()], { description: "The last rollout." }),
  instances: Type.Object({ warm: Type.Integer(), starting: Type.Integer() }),
  idling: Type.Union([IdlingView, Type.Null()], { description: "When an idle function has an instance, if idleTimeout is auto; otherwise null." }),
  windows: Type.Union([WindowsView, Type.Null()], { description: "What the windows say; null: no scaling by windows, or neither instances nor demand." }),
  ending: Type.Union([Type.Array(Type.String()), Type.Null()], {
    description:
      "What holds a function whose resource somebody has deleted, such as finalizers: it is served until they are gone; null: it is not being deleted.",
  }),
  problems: Type.Array(Type.String(), { description: "What is in the function's way, in words; empty: nothing is known to be." }),
  revisions: Type.Array(Type.String()),
});

export const DeployResult = Type.Object({
  ...FunctionView.properties,
  newRevision: Type.Boolean({ description: "False if the same content was deployed before." }),
});

export const LoadResult = Type.Object({
  ...FunctionView.properties,
  loaded: Type.Boolean({ description: "False if no instance has loaded it yet; repeat the request. `problems` may say why." }),
});

export const Revisions = list(RevisionView);
export const Functions = list(FunctionView);

export const PoolView = Type.Object({
  name: Type.String(),
  runtime: Type.String(),
  sizeClass: Type.Union([Type.String(), Type.Null()], {
    description: "The most memory of a function whose instances are this pool's; null: the runtime's base pool, or a class that is not declared any more.",
  }),
  size: Type.Union([Type.Integer(), Type.Literal("auto")], { description: "Instances kept free; auto: the pool chooses, see chosenSize." }),
  chosenSize: Type.Integer({ description: "Instances kept free now: size, what the pool has chosen, or what a schedule wants." }),
  warm: Type.Array(Type.String(), { description: "Schedules that raise the size." }),
  scheduled: Type.Union([ScheduledView, Type.Null()]),
  targetHit: Type.Union([Type.Number(), Type.Null()], { description: "Share of the claims that should find a free instance; null if the size is fixed." }),
  min: Type.Union([Type.Integer(), Type.Null()], { description: "The least size; null if the size is fixed." }),
  sizing: Type.Union([SizingView, Type.Null()]),
  idleMemory: Type.Union([Type.String(), Type.Null()], { description: "Memory that instances without an invocation may take together; null: not limited." }),
  memory: Type.Union([IdleMemoryView, Type.Null()]),
  max: Type.Integer(),
  budget: Type.Object({ actions: Type.Integer(), windowMs: Type.Integer() }),
  partition: Type.Integer({ description: "Percentage of the instances that keep a previous version of the runtime." }),
  paused: Type.Boolean(),
  used: Type.Boolean({ description: "Whether it is filled: a function takes instances of it, or it is that of node." }),
  doubt: Type.Union([Type.String(), Type.Null()], {
    description: "Why the observation of the pool is doubted; meanwhile nothing is removed or changed in place. Null if it is trusted.",
  }),
  instances: Type.Record(Type.String(), Type.Integer(), { description: "Count by state." }),
  obstructed: Type.Record(Type.String(), Type.Integer(), {
    description: "Count of instances that cannot serve, by obstacle: pending, blocked, unreachable, ended, stuck.",
  }),
  problems: Type.Array(Type.String(), { description: "The pool's known problems, in words." }),
});
export const PoolList = list(PoolView);

export const InstanceList = list(
  Type.Object({
    uid: Type.String(),
    pool: Type.String(),
    state: Type.String(),
    function: Type.Union([Type.String(), Type.Null()]),
    revision: Type.Union([Type.String(), Type.Null()]),
    epoch: Type.Integer(),
    address: Type.Union([Type.String(), Type.Null()]),
    inFlight: Type.Integer(),
    obstacle: Type.Union([Type.String(), Type.Null()], { description: "Why it cannot serve now: pending, blocked, unreachable, ended or stuck." }),
    ageMs: Type.Integer(),
    idleMs: Type.Integer(),
  }),
);

/** One instance as `/v1/instances` lists it. */
export type InstanceRow = Static<typeof InstanceList>["items"][number];

export const LogsQuery = Type.Object(
  {
    follow: Type.Optional(Type.Boolean({ description: "Stream as server-sent events." })),
    tail: Type.Optional(Type.Integer({ description: "Number of lines to begin with; by default 100, or all with since.", minimum: 0, maximum: 1000 })),
    call: Type.Optional(Type.String({ description: "Only lines of this call id.", maxLength: 200 })),
    since: Type.Optional(Type.String({ pattern: PATTERNS.since, maxLength: 64, description: 'Only lines since then: "10m" (ago), or a date and time.' })),
  },
  { additionalProperties: false },
);

export const LogLine = Type.Object({
  time: Type.String(),
  instance: Type.String(),
  stream: Type.String(),
  callId: Type.Union([Type.String(), Type.Null()]),
  traceId: Type.Union([Type.String(), Type.Null()]),
  spanId: Type.Union([Type.String(), Type.Null()]),
  message: Type.String(),
});

/** A schema that is true of the stream and of one event: readers of OpenAPI 3.1 differ in which of them it describes. */
const STREAM = { "text/event-stream": { schema: Type.Unsafe<unknown>({ description: "Server-sent events; the data of each event is a JSON object." }) } };
export const EventStream = { description: "An endless stream.", content: STREAM };
export const LogsAnswer = {
  description: "Lines, oldest first; with follow=true, a stream of them.",
  content: { "application/json": { schema: list(LogLine) }, ...STREAM },
};

/** A body that is not JSON and is not parsed. */
export const Bytes = Type.Unsafe<Buffer>({ description: "The bytes of a tar." });

function list<P extends TProperties>(item: TObject<P>) {
  return Type.Object({ items: Type.Array(item) });
}
