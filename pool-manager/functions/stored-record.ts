import { type Static, Type } from "typebox";
import { Compile } from "typebox/compile";

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) => Type.Optional(Type.Union([type, Type.Null()]));
const Percents = Type.Record(Type.String(), Type.Number());
const Texts = Type.Record(Type.String(), Type.String());

const StoredRevision = Type.Object({
  id: Type.String({ pattern: "^r[1-9][0-9]*$" }),
  hash: Type.String(),
  createdAt: Type.String(),
  layer: Type.String(),
  image: Type.String(),
  settings: Type.Object({
    entry: Type.String(),
    handler: Nullable(Type.String()),
    signature: Nullable(Type.String()),
    concurrency: Type.Number(),
    timeoutMs: Type.Number(),
  }),
  loadTimeoutMs: Type.Number(),
  env: Texts,
  secretNames: Type.Array(Type.String()),
  // An older Berth did not note it.
  activatedAt: Nullable(Type.String()),
});

const StoredPolicy = Type.Object({
  steps: Type.Array(Type.Union([Type.Number(), Type.String()])),
  intervalMs: Type.Number(),
  parallel: Type.Number(),
  maxErrors: Type.Number(),
});

const StoredRollout = Type.Object({
  from: Type.String(),
  to: Type.String(),
  step: Type.Number(),
  watching: Type.Optional(Type.Boolean()),
  state: Type.String(),
  reason: Nullable(Type.String()),
  startedAt: Type.Optional(Type.String()),
  onceLoaded: Type.Optional(Type.Boolean()),
});

/** What a status has to hold so that it is a function's record: the definition itself leaves most of it open. */
const StoredRecord = Type.Object({
  uid: Type.String({ minLength: 1 }),
  runtime: Type.Optional(Type.String()),
  active: Type.String(),
  latest: Type.Optional(Type.String()),
  nextRevision: Type.Optional(Type.Integer()),
  traffic: Type.Optional(Type.Object({ split: Type.Optional(Percents), aliases: Type.Optional(Texts) })),
  scaling: Type.Object({
    minScale: Type.Number(),
    maxScale: Type.Number(),
    idleTimeoutMs: Type.Number(),
    queueDepth: Type.Number(),
    queueTimeoutMs: Type.Number(),
  }),
  rolloutPolicy: Nullable(StoredPolicy),
  rollout: Nullable(StoredRollout),
  // An older Berth, and an older definition of the resource, do not keep it.
  history: Type.Optional(Type.Array(Type.String())),
  revisions: Type.Array(StoredRevision, { minItems: 1 }),
});

const schema = Compile(StoredRecord);

/** Whether a status holds a whole record. Half a record is none: what it would have said cannot be served. */
export function isWhole(status: unknown): status is Static<typeof StoredRecord> {
  if (!schema.Check(status)) return false;
  const { active, latest = active, revisions } = status;
  return [active, latest].every((wanted) => revisions.some(({ id }) => id === wanted));
}

const secretsSchema = Compile(Type.Record(Type.String(), Texts));

/** Values of secrets by revision. */
export function isSecrets(value: unknown): value is Record<string, Record<string, string>> {
  return secretsSchema.Check(value);
}
