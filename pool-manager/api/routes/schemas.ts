import { type Static, type TObject, type TProperties, Type } from "typebox";
import { PATTERNS } from "../../functions/manifest/field-fault.ts";
import { ManifestSchema, PatchSchema } from "../../functions/manifest/schema.ts";
import { OPTIONAL } from "../document.ts";

export const ErrorBody = Type.Object(
  {
    error: Type.Object({
      code: Type.String({ description: "Stable; see docs/errors.md." }),
      message: Type.String(),
      fix: Type.String({ description: "What to do about it." }),
      field: Type.Optional(Type.String({ description: "Offending field of the request." })),
    }),
  },
  { description: "Error" },
);

export const NameParams = Type.Object({ name: Type.String({ maxLength: 200 }) });

/** Of a function that may be new. */
export const NewNameParams = Type.Object({ name: Type.String({ pattern: PATTERNS.name }) });

const Deployment = {
  code: Type.String({ description: "Digest that POST /v1/code returned." }),
  canary: Type.Integer({
    description: "Percent of the invocations that the revision gets beside the active one; left out: it becomes the active one.",
    minimum: 0,
    maximum: 100,
  }),
  onceLoaded: Type.Boolean({
    description:
      "True: the revision takes over when an instance has it loaded, and one that does not load takes nothing over; POST …/revisions/REVISION/load waits for that. False, or left out: at once. The steps of a rollout come afterwards.",
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
  { revision: Type.Optional(Type.String({ description: "Revision to return to; left out: the one that was active before." })) },
  { additionalProperties: false, [OPTIONAL]: true },
);

export const CodeResult = Type.Object({
  digest: Type.String(),
  size: Type.Integer({ description: "Bytes of the function layer." }),
  entry: Type.String({ description: "Module that will be loaded." }),
});

export const CodeLimits = Type.Object({ maxBytes: Type.Integer({ description: "Of the tar that POST /v1/code takes." }) });

const RevisionView = Type.Object({
  id: Type.String(),
  active: Type.Boolean(),
  createdAt: Type.String(),
  activatedAt: Type.Union([Type.String(), Type.Null()], { description: "When it last became the active one; null: never." }),
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
      Type.String({ description: 'How long to wait at most, such as "10s" (as by default); 30s is the longest.', pattern: PATTERNS.duration, maxLength: 16 }),
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
    to: Type.String({ description: "Revision that takes over." }),
    state: Type.String({ description: "rolling, paused, undone (by a user), stopped (by what was seen) or complete." }),
    step: Type.String({ description: "The step that it is at." }),
    steps: Type.Array(Type.String()),
    watching: Type.Boolean({ description: "The step's share and instances are reached; it is watched for the policy's interval." }),
    percent: Type.Integer({ description: "Percent of the invocations that the new revision gets." }),
    reason: Type.Union([Type.String(), Type.Null()], { description: "Why it was stopped." }),
    startedAt: Type.String(),
  },
  { description: "A revision that takes over step by step." },
);

export const FunctionView = Type.Object({
  name: Type.String(),
  uid: Type.String(),
  runtime: Type.String(),
  revision: Type.String({ description: "Active revision." }),
  latest: Type.String({ description: "Revision that was deployed last; another one may be active." }),
  createdAt: Type.String(),
  url: Type.Union([Type.String(), Type.Null()], { description: "Where to invoke it." }),
  handler: Type.Union([Type.String(), Type.Null()]),
  signature: Type.Union([Type.String(), Type.Null()]),
  timeout: Type.String(),
  loadTimeout: Type.String(),
  concurrency: Type.Integer(),
  minScale: Type.Integer(),
  maxScale: Type.Integer(),
  idleTimeout: Type.String(),
  queueDepth: Type.Integer(),
  queueTimeout: Type.String(),
  env: Type.Record(Type.String(), Type.String()),
  secrets: Type.Array(Type.String(), { description: "Names only." }),
  split: Type.Record(Type.String(), Type.Integer(), { description: "Percent of the invocations by revision; the active one has the rest." }),
  aliases: Type.Record(Type.String(), Type.String(), { description: "Revision by alias." }),
  rollout: Type.Union([Type.Object({}, { additionalProperties: true }), Type.Null()], { description: "How a new revision takes over; null: at once." }),
  rolling: Type.Union([RolloutView, Type.Null()], { description: "The last rollout." }),
  instances: Type.Object({ warm: Type.Integer(), starting: Type.Integer() }),
  ending: Type.Union([Type.Array(Type.String()), Type.Null()], {
    description:
      "What holds a function whose resource somebody has deleted, such as finalizers: it is served until they are gone; null: it is not being deleted.",
  }),
  problems: Type.Array(Type.String(), { description: "What is in the function's way, in words; empty: nothing is known to be." }),
  revisions: Type.Array(Type.String()),
});

export const DeployResult = Type.Object({
  ...FunctionView.properties,
  newRevision: Type.Boolean({ description: "False where the same content was deployed before." }),
});

export const LoadResult = Type.Object({
  ...FunctionView.properties,
  loaded: Type.Boolean({ description: "False: no instance has it loaded yet; ask again. The problems tell what is in its way." }),
});

export const Revisions = list(RevisionView);
export const Functions = list(FunctionView);

export const PoolView = Type.Object({
  name: Type.String(),
  runtime: Type.String(),
  size: Type.Integer(),
  max: Type.Integer(),
  budget: Type.Object({ actions: Type.Integer(), windowMs: Type.Integer() }),
  partition: Type.Integer({ description: "Percent of the instances that keep a former version of the runtime." }),
  paused: Type.Boolean(),
  doubt: Type.Union([Type.String(), Type.Null()], {
    description: "Why what is observed of it is not believed at present: nothing is removed or changed in place meanwhile.",
  }),
  instances: Type.Record(Type.String(), Type.Integer(), { description: "Count by state." }),
  obstructed: Type.Record(Type.String(), Type.Integer(), {
    description: "Count of instances that cannot serve, by what is in their way: pending, blocked, unreachable, ended, stuck.",
  }),
  problems: Type.Array(Type.String(), { description: "What is in the pool's way, in words; empty: nothing is known to be." }),
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

export const StatusView = Type.Object({
  version: Type.String(),
  platform: Type.String(),
  router: Type.Union([Type.String(), Type.Null()], { description: "Where functions are invoked." }),
  runtimes: Type.Array(Type.String()),
  functions: Type.Integer(),
  ready: Type.Boolean(),
  node: Type.String(),
});

export const LogsQuery = Type.Object(
  {
    follow: Type.Optional(Type.Boolean({ description: "Stream as server-sent events." })),
    tail: Type.Optional(Type.Integer({ description: "Lines to begin with; by default 100, with since all.", minimum: 0, maximum: 1000 })),
    call: Type.Optional(Type.String({ description: "Only lines of this call id.", maxLength: 200 })),
    since: Type.Optional(
      Type.String({
        pattern: PATTERNS.since,
        maxLength: 64,
        description: 'Only lines of this time and later: how long ago, such as "10m", or a date and time.',
      }),
    ),
  },
  { additionalProperties: false },
);

const LogList = list(
  Type.Object({
    time: Type.String(),
    instance: Type.String(),
    stream: Type.String(),
    callId: Type.Union([Type.String(), Type.Null()]),
    message: Type.String(),
  }),
);

/** Whether its schema is that of the whole stream or of one event, readers of OpenAPI 3.1 take differently: it holds for both. */
const STREAM = { "text/event-stream": { schema: Type.Unsafe<unknown>({ description: "Server-sent events; the data of each one is a JSON object." }) } };
export const EventStream = { description: "A stream that has no end of its own.", content: STREAM };
export const LogsAnswer = {
  description: "Lines, oldest first; with follow=true a stream of them.",
  content: { "application/json": { schema: LogList }, ...STREAM },
};

/** What is not JSON: it is taken as it is. */
export const Bytes = Type.Unsafe<Buffer>({ description: "The bytes of a tar." });

function list<P extends TProperties>(item: TObject<P>) {
  return Type.Object({ items: Type.Array(item) });
}
