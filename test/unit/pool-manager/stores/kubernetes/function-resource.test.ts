import { describe, expect, test } from "vitest";
import type { FunctionRecord, Revision } from "../../../../../pool-manager/functions/function.ts";
import { structural } from "../../../../../pool-manager/stores/kubernetes/definitions/schema-parts.ts";
import { ownedFields, resourceRecordOf, resourceSpecOf, statusOf, toApply } from "../../../../../pool-manager/stores/kubernetes/function-resource.ts";
import { withCondition } from "../../../../../pool-manager/stores/kubernetes/status/conditions.ts";

const revision = (id: string, concurrency: number): Revision => ({
  id,
  hash: id,
  createdAt: "2026-01-01T00:00:00Z",
  layer: `sha256:${id}`,
  image: `sha256:image-${id}`,
  settings: { entry: "index.mjs", handler: null, signature: null, concurrency, timeoutMs: 30_000 },
  loadTimeoutMs: 10_000,
  env: {},
  secretNames: [],
  activatedAt: null,
});
const record = (change: Partial<FunctionRecord> = {}): FunctionRecord => ({
  uid: "u",
  name: "f",
  runtime: "node",
  createdAt: "2026-01-01T00:00:00Z",
  active: "r2",
  latest: "r2",
  traffic: { split: {}, aliases: {} },
  nextRevision: 3,
  scaling: { minScale: 0, maxScale: 20, idleTimeoutMs: 300_000, queueDepth: 1000, queueTimeoutMs: 30_000 },
  rolloutPolicy: null,
  rollout: null,
  history: ["r1", "r2"],
  revisions: [revision("r1", 100), revision("r2", 7)],
  ...change,
});
const metadata = { name: "f", uid: "u", resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z" };

describe("a function's record as a resource", () => {
  test("the status holds all of it", () => {
    const whole = record({ traffic: { split: { r1: 5 }, aliases: { old: "r1" } } });
    expect(resourceRecordOf({ metadata, spec: {}, status: statusOf(whole) })).toEqual(whole);
    expect(resourceRecordOf({ metadata, spec: {}, status: { observedGeneration: 1 } })).toBeNull();
  });

  test("an incomplete record is no record, and no revision number is used twice", () => {
    const stored = (change: object) => resourceRecordOf({ metadata, spec: {}, status: { ...statusOf(record()), ...change } });
    expect(stored({ revisions: [{ id: "r2" }] })).toBeNull();
    expect(stored({ scaling: { minScale: 0 } })).toBeNull();
    expect(stored({ active: "r9" })).toBeNull();
    // An older Berth did not note when a revision became active.
    expect(stored({ revisions: [revision("r1", 1), revision("r2", 1)].map(({ activatedAt: _, ...rest }) => rest) })).not.toBeNull();
    // The order of revisions is missing too: the definition of an older Berth prunes it.
    expect(stored({ history: undefined, revisions: [{ ...revision("r1", 1), activatedAt: "2026-01-01T00:00:00Z" }, revision("r2", 1)] })?.history).toEqual([
      "r1",
      "r2",
    ]);
    expect(stored({ nextRevision: 1 })?.nextRevision).toBe(3);
  });

  test("scaling by windows is in the status and in the spec, and the same in other words is not applied again", () => {
    const windowScaling = { windowMs: 60_000, target: 50, scaleDownDelayMs: 0, activationScale: 1, maxScaleUpRate: 1000 };
    const whole = record({ scaling: { ...record().scaling, windowScaling } });
    expect(resourceRecordOf({ metadata, spec: {}, status: statusOf(whole) })).toEqual(whole);
    const scaling = { window: "1m", scaleDownDelay: "0ms", target: 50, activationScale: 1, maxScaleUpRate: 1000 };
    expect(resourceSpecOf(whole)).toEqual({ concurrency: 7, code: { digest: "sha256:r2" }, scaling });
    expect(toApply(resourceSpecOf(whole), { concurrency: 7, scaling: { window: 60, target: 50 } }, new Set(), true)).toEqual({});
    expect(toApply(resourceSpecOf(record()), { concurrency: 7, scaling }, new Set(), true)).toEqual({ scaling: null });
  });

  test("instances that are kept of other revisions are in the status, and in the spec as long as it names their revision", () => {
    const whole = record({ traffic: { split: { r1: 5 }, aliases: {}, minScales: { r1: 2 } } });
    expect(resourceRecordOf({ metadata, spec: {}, status: statusOf(whole) })).toEqual(whole);
    expect(resourceSpecOf(whole).traffic).toEqual({ split: { r1: 5 }, minScales: { r1: 2 } });
    expect(toApply(resourceSpecOf(whole), { ...resourceSpecOf(whole), traffic: { split: { r1: 5 }, minScales: { r1: 2, r2: 0 } } }, new Set(), true)).toEqual(
      {},
    );
    expect(toApply(resourceSpecOf(whole), { ...resourceSpecOf(whole), traffic: { split: { r1: 5 } } }, new Set(), true)).toEqual({
      traffic: { split: { r1: 5 }, minScales: { r1: 2 } },
    });
    // The shares of a rollout are not declared.
    const rollout = { from: "r1", to: "r2", step: 0, watching: false, state: "rolling", reason: null, startedAt: "" } as const;
    const rolling = record({ active: "r1", rollout, traffic: { split: { r2: 5 }, aliases: { old: "r1" }, minScales: { r2: 2, r1: 1 } } });
    expect(resourceSpecOf(rolling).traffic).toEqual({ aliases: { old: "r1" }, minScales: { r1: 1 } });
  });

  test("the spec has the latest deployment, without defaults, and the active revision if it is another one", () => {
    expect(resourceSpecOf(record())).toEqual({ concurrency: 7, code: { digest: "sha256:r2" } });
    expect(resourceSpecOf(record({ active: "r1" }))).toEqual({ concurrency: 7, code: { digest: "sha256:r2" }, traffic: { active: "r1" } });
    expect(resourceSpecOf(record({ latest: "r1", active: "r1" }))).toEqual({ code: { digest: "sha256:r1" } });
  });
});

describe("what the API applies", () => {
  const wanted = { concurrency: 7, code: { digest: "d" } };
  test.each([
    ["nothing that is said already, in other words too", wanted, { concurrency: 7, timeout: 30, code: { files: {} } }, [], true, {}],
    ["what differs", wanted, { concurrency: 8, code: { digest: "c" } }, [], false, wanted],
    [
      "the default, where somebody else has said something",
      { code: { digest: "d" } },
      { concurrency: 8, code: { digest: "d" } },
      [],
      true,
      { concurrency: 100 },
    ],
    [
      "not any more what it has said itself and is as by default",
      { code: { digest: "d" } },
      { concurrency: 8, code: { digest: "d" } },
      ["concurrency"],
      true,
      {},
    ],
    ["again what it has said, changed or not", wanted, wanted, ["concurrency", "code"], true, wanted],
    ["no traffic, where its own is over", wanted, { ...wanted, traffic: { active: "r1" } }, ["traffic"], true, {}],
    ["no secretRef: that is not its own", wanted, { ...wanted, secretRef: "s" }, [], true, {}],
  ] as const)("is %s", (_, target, current, owned, isCode, applied) => {
    expect(toApply(target, current, new Set<string>(owned), isCode)).toEqual(applied);
  });

  test("the fields that it owns are those that it has applied", () => {
    const fieldsV1 = { "f:spec": { "f:concurrency": {}, "f:code": { "f:digest": {} } } };
    const managedFields = [
      { manager: "berth-api", operation: "Apply", fieldsV1 },
      { manager: "kubectl", operation: "Apply", fieldsV1: { "f:spec": { "f:env": {} } } },
    ];
    expect([...ownedFields({ metadata: { ...metadata, managedFields }, spec: {} }, "berth-api")]).toEqual(["concurrency", "code"]);
  });
});

test("a condition's time changes only with its status", () => {
  const old = { type: "Accepted", status: "True", reason: "a", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" } as const;
  const [same] = withCondition([old], { type: "Accepted", status: "True", reason: "b", message: "" });
  expect(same).toMatchObject({ reason: "b", lastTransitionTime: old.lastTransitionTime });
  const [other] = withCondition([old], { type: "Accepted", status: "False", reason: "b", message: "" });
  expect(other?.lastTransitionTime).not.toBe(old.lastTransitionTime);
});

test("a JSON Schema becomes a schema that definitions permit", () => {
  expect(structural({ anyOf: [{ const: "a" }, { const: "b" }], description: "x" })).toEqual({ type: "string", description: "x", enum: ["a", "b"] });
  expect(structural({ type: "integer", minimum: 1, default: 5, description: "x." })).toEqual({ type: "integer", minimum: 1, description: "x. Default: 5." });
});
