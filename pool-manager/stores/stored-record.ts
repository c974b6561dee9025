import { type Static, Type } from "typebox";
import { Compile } from "typebox/compile";

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) => Type.Optional(Type.Union([type, Type.Null()]));
const Numbers = Type.Record(Type.String(), Type.Number());
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
    command: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
    health: Type.Optional(Type.String()),
    resources: Type.Optional(Type.Record(Type.String(), Type.Number())),
  }),
  loadTimeoutMs: Type.Number(),
  env: Texts,
  secretNames: Type.Array(Type.String()),
  // Older versions of Berth do not record it.
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

/** The schema of a status that is a complete record: the CRD itself leaves most fields open. */
const StoredRecord = Type.Object({
  uid: Type.String({ minLength: 1 }),
  runtime: Type.Optional(Type.String()),
  active: Type.String(),
  latest: Type.Optional(Type.String()),
  nextRevision: Type.Optional(Type.Integer()),
  traffic: Type.Optional(Type.Object({ split: Type.Optional(Numbers), aliases: Type.Optional(Texts), minScales: Type.Optional(Numbers) })),
  scaling: Type.Object({
    minScale: Type.Number(),
    maxScale: Type.Number(),
    warm: Type.Optional(Type.Array(Type.String())),
    idleTimeoutMs: Type.Number(),
    idleAuto: Type.Optional(Type.Boolean()),
    queueDepth: Type.Number(),
    queueTimeoutMs: Type.Number(),
    windowScaling: Nullable(
      Type.Object({
        windowMs: Type.Number(),
        target: Type.Number(),
        scaleDownDelayMs: Type.Number(),
        activationScale: Type.Number(),
        maxScaleUpRate: Type.Number(),
      }),
    ),
  }),
  rolloutPolicy: Nullable(StoredPolicy),
  rollout: Nullable(StoredRollout),
  // Older versions of Berth and of the CRD do not keep it.
  history: Type.Optional(Type.Array(Type.String())),
  revisions: Type.Array(StoredRevision, { minItems: 1 }),
});

const schema = Compile(StoredRecord);

/** True if the status is a complete record. An incomplete one counts as none, since it cannot be served. */
export function isWhole(status: unknown): status is Static<typeof StoredRecord> {
  if (!schema.Check(status)) return false;
  const { active, latest = active, revisions } = status;
  return [active, latest].every((wanted) => revisions.some(({ id }) => id === wanted));
}

const secretsSchema = Compile(Type.Record(Type.String(), Texts));

/** True for secret values by revision and name. */
export function isSecrets(value: unknown): value is Record<string, Record<string, string>> {
  return secretsSchema.Check(value);
}
