import { describe, expect, test } from "vitest";
import { NO_CLASSES } from "../../../../../../pool-manager/functions/manifest/size-classes.ts";
import { failedScaleOf } from "../../../../../../pool-manager/platform/kruise/clonesets/counts.ts";
import { driftCorrection } from "../../../../../../pool-manager/platform/kruise/clonesets/drift.ts";
import { claimPatch, functionSet, poolSet, poolSetName } from "../../../../../../pool-manager/platform/kruise/clonesets/manifests.ts";
import type { CloneSet, Pod } from "../../../../../../pool-manager/platform/kruise/objects/objects.ts";
import { podPools } from "../../../../../../pool-manager/platform/kruise/pod-runtimes.ts";
import { firstSight, obstacleOf, sighted } from "../../../../../../pool-manager/platform/kruise/pods/obstacle.ts";
import { hasSwapped, podRecordOf, substanceOf } from "../../../../../../pool-manager/platform/kruise/pods/pod-record.ts";
import { metadata, pod } from "../../../../../helpers/builders/objects.ts";

const worker = { command: ["/usr/bin/python3", "main.py"], env: {} };
const runtimes = { node: { image: "r:1", worker: null }, python: { image: "p:1", worker } };
const pools = podPools(runtimes, "256Mi", NO_CLASSES);
const settings = { pools, idleImage: "i:1", leaderKey: "k", disk: "1Gi", pullSecret: null };

function podOf(name: string, change: Partial<Pod["metadata"]> = {}, image = "idle:1@sha256:00"): Pod {
  const containers = [
    { name: "runtime", image: "r:1" },
    { name: "code", image },
  ];
  const seen = { resourceVersion: "7", labels: {}, ...change };
  return pod(name, { metadata: seen, spec: { containers }, status: { phase: "Running", podIP: "10.0.0.1" } });
}

const OF_FUNCTION = { "berth.dev/pool": "node", "berth.dev/function": "f1" };
const OF_POOL = { "berth.dev/pool": "node" };

function set(spec: Partial<CloneSet["spec"]>, labels: Record<string, string> = OF_FUNCTION, counted?: number, isPool = labels === OF_POOL): CloneSet {
  const base = (isPool ? poolSet("node", settings) : functionSet("f1", "node", settings, "c:1")) as CloneSet;
  return {
    ...base,
    metadata: metadata(base.metadata.name, { ...base.metadata, uid: "set", labels }),
    spec: { ...base.spec, ...spec, updateStrategy: { ...base.spec.updateStrategy, ...spec.updateStrategy } },
    status: { updateRevision: "fn-f1-abc", currentRevision: "fn-f1-old", ...(counted !== undefined && { replicas: counted }) },
  };
}

const current = { labels: { "controller-revision-hash": "fn-f1-abc" } };
const old = { labels: { "controller-revision-hash": "fn-f1-old" } };

describe("corrections of a CloneSet", () => {
  test.each([
    ["counts right", set({ replicas: 2 }), [podOf("a", old), podOf("b", old)], []],
    ["has one pod of two released", set({ replicas: 2 }), [podOf("a", old), podOf("b", current)], ["add /spec/updateStrategy/partition 1"]],
    ["follows its release", set({ replicas: 2, updateStrategy: { partition: 1 } }), [podOf("a", old), podOf("b", current)], []],
    ["has lost a pod", set({ replicas: 2 }), [podOf("a", old)], ["test /spec/replicas 2", "replace /spec/replicas 1"]],
    ["is short of replicas", set({ replicas: 0 }), [podOf("a", old)], ["test /spec/replicas 0", "replace /spec/replicas 1"]],
    ["has a pod on its way out", set({ replicas: 1, scaleStrategy: { maxUnavailable: 0, podsToDelete: ["a"] } }), [podOf("a", old), podOf("b", old)], []],
    ["was left creating", set({ replicas: 1, scaleStrategy: { maxUnavailable: 3 } }), [podOf("a", old)], ["add /spec/scaleStrategy/maxUnavailable 0"]],
    [
      "was made by an earlier version, and not paused",
      set({ replicas: 1, updateStrategy: { paused: false } }),
      [podOf("a", old)],
      ["replace /spec/updateStrategy/paused true"],
    ],
    [
      "is a pool's with another partition",
      set({ replicas: 1, updateStrategy: { partition: 1 } }, OF_POOL),
      [podOf("a")],
      ["add /spec/updateStrategy/partition 100%"],
    ],
    ["is a pool's that has to make pods of the template as it is", set({ replicas: 1, updateStrategy: { partition: 0 } }, OF_POOL), [podOf("a")], []],
    ["has been released", set({ replicas: 1 }), [podOf("a", current)], ["add /spec/updateStrategy/partition 0"]],
    ["has a pod that is not seen: Kruise would delete one of its choice", set({ replicas: 2 }, undefined, 2), [podOf("a", old)], []],
    ["has lost a pod, and Kruise says so", set({ replicas: 2 }, undefined, 1), [podOf("a", old)], ["test /spec/replicas 2", "replace /spec/replicas 1"]],
    [
      "has lost its labels, or has others",
      set({ replicas: 0, updateStrategy: { partition: 0 } }, { "berth.dev/pool": "other" }),
      [],
      ["add /metadata/labels/berth.dev~1pool node", "add /metadata/labels/berth.dev~1function f1"],
    ],
    ["is a pool's with claims taken from it", set({ replicas: 3 }, OF_POOL), [podOf("a")], []],
    [
      "is such a pool's, with a pod that is to go",
      set({ replicas: 3, scaleStrategy: { maxUnavailable: 0, podsToDelete: ["a"] } }, OF_POOL),
      [podOf("a"), podOf("b")],
      ["test /spec/replicas 3", "replace /spec/replicas 1"],
    ],
  ])("one that %s", (_what, cloneSet, live, wanted) => {
    expect(driftCorrection(cloneSet, live).map(({ op, path, value }) => `${op} ${path} ${value}`)).toEqual(wanted);
  });
});

describe("a claim", () => {
  const claim = { functionUid: "f1", revision: "r1", image: "reg/code:tag@sha256:11", digest: "sha256:11", term: 3, fingerprint: "AA", template: null };

  test("carries the version on which the decision was based, and swaps the image", () => {
    const patch = claimPatch(podOf("a"), set({}), true, claim) as { metadata: Record<string, unknown>; spec?: unknown };
    expect(patch.metadata).toMatchObject({
      uid: "uid-a",
      resourceVersion: "7",
      labels: { "controller-revision-hash": "fn-f1-abc", "pod-template-hash": "abc" },
    });
    expect(patch.spec).toEqual({ containers: [{ name: "code", image: "reg/code:tag@sha256:11" }] });
  });

  test("counts for the revision that is being released, or for the one before; after the release it counts for its own", () => {
    const hash = (isReleased: boolean, partition: number | string) => {
      const claimed = claimPatch(podOf("a"), set({ updateStrategy: { partition } }), isReleased, claim) as { metadata: { labels: Record<string, string> } };
      return claimed.metadata.labels["controller-revision-hash"];
    };
    expect([hash(true, 1), hash(false, 1), hash(false, "100%"), hash(false, 0)]).toEqual(["fn-f1-abc", "fn-f1-old", "fn-f1-old", "fn-f1-abc"]);
  });

  test("does not swap to the image that the pod has already", () => {
    expect(claimPatch(podOf("a", {}, "reg/code:other@sha256:11"), set({}), true, claim)).not.toHaveProperty("spec");
  });
});

describe("the record of a pod", () => {
  const seen = { ...firstSight(0), scheduledSince: 0, runningSince: 0, unconnectedSince: null };
  const known = { echo: null, readyAt: null, createdAt: 0, seen, isCurrent: true, askedOf: null, key: null, version: 1, swapSince: null, overdue: false };

  const free = { pool: "node", functionUid: null, isCounted: true, replace: null, obstacle: null };

  test("changes its substance with owner, labels, images and deletion, and not with its status", () => {
    const a = podOf("a");
    expect(substanceOf({ ...a, status: { phase: "Pending" }, metadata: { ...a.metadata, resourceVersion: "8" } })).toBe(substanceOf(a));
    expect(substanceOf(podOf("a", { labels: { "berth.dev/function": "f" } }))).not.toBe(substanceOf(a));
    expect(substanceOf(podOf("a", {}, "other"))).not.toBe(substanceOf(a));
    expect(substanceOf(podOf("a", { deletionTimestamp: "now" }))).not.toBe(substanceOf(a));
  });

  test("has swapped once the code container runs the image that was asked for, and is in trouble past the deadline", () => {
    const bound = podOf("a", { annotations: { "berth.dev/image": "sha256:11" } });
    const running = (imageID: string) => ({
      ...bound,
      status: { containerStatuses: [{ name: "code", image: "", imageID, restartCount: 0, state: { running: {} } }] },
    });
    expect([hasSwapped(running("reg/code@sha256:11")), hasSwapped(running("reg/code@sha256:22")), hasSwapped(bound)]).toEqual([true, false, false]);
    expect(podRecordOf(bound, { ...known, overdue: true }, free).trouble).toMatch(/has not run within 60 s/);
  });

  test("is shown as being removed while its owner has the order, and no longer once a claim has moved it to another", () => {
    const owned = (uid: string) =>
      podOf("a", { ownerReferences: [{ apiVersion: "", kind: "CloneSet", name: uid, uid, controller: true, blockOwnerDeletion: true }] });
    const removing = (owner: string) => podRecordOf(owned(owner), { ...known, askedOf: "pool" }, free).removing;
    expect([removing("pool"), removing("fn")]).toEqual([true, false]);
  });

  test("says why the code container cannot run, and fails with the pod", () => {
    const waiting = {
      ...podOf("a"),
      status: { containerStatuses: [{ name: "code", image: "", restartCount: 0, state: { waiting: { reason: "ErrImagePull", message: "gone" } } }] },
    };
    expect(podRecordOf(waiting, known, free).trouble).toBe("ErrImagePull: gone");
    const echo = {
      uid: "uid-a",
      bootId: "b",
      state: "warm" as const,
      functionUid: "f",
      revision: "r1",
      epoch: 1,
      version: 1,
      port: 1,
      loaded: true,
      error: null,
    };
    const evicted: Pod = { ...podOf("a"), status: { phase: "Failed", reason: "Evicted" } };
    const ended = obstacleOf(evicted, sighted(seen, evicted, 5), null, null, 10);
    expect(podRecordOf(evicted, { ...known, echo }, { ...free, obstacle: ended }).echo).toMatchObject({
      state: "failed",
      loaded: false,
      error: { message: "the pod has ended: Evicted" },
    });
  });
});

test("a pool's CloneSet is another one for another runtime image", () => {
  const next = { ...settings, pools: podPools({ ...runtimes, node: { image: "r:2", worker: null } }, "256Mi", NO_CLASSES) };
  expect(poolSetName("node", settings)).not.toBe(poolSetName("node", next));
  expect(poolSetName("python", settings)).toBe(poolSetName("python", next));
});

test("pods of Node are those of earlier versions, which knew no other runtime: none is replaced by an upgrade", () => {
  expect(poolSetName("node", settings)).toBe("pool-node-c2d9e3b7");
});

test("pods of another runtime have its image, and the command of its worker", () => {
  type Containers = { spec: { template: { spec: { containers: { image: string; env?: { name: string; value?: string }[] }[] } } } };
  const runtimeOf = (set: object) => (set as Containers).spec.template.spec.containers[0];
  for (const set of [poolSet("python", settings), functionSet("f1", "python", settings, "c:1")]) {
    const { image, env } = runtimeOf(set) ?? {};
    expect([image, JSON.parse(env?.find(({ name }) => name === "BERTH_WORKER")?.value ?? "null")]).toEqual(["p:1", worker]);
  }
  expect(runtimeOf(poolSet("node", settings))?.env?.map(({ name }) => name)).not.toContain("BERTH_WORKER");
});

test("pods of a runtime without an image are refused by name", () => {
  expect(() => poolSet("ruby", settings)).toThrow(/has the pool ruby/);
});

test("instances run only on nodes that can run their programs, and use no more of a node than their limits", () => {
  const { spec } = (poolSet("node", { ...settings, disk: "3Gi" }) as { spec: { template: { spec: Record<string, unknown> } } }).spec.template;
  expect(spec.nodeSelector).toEqual({ "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" });
  expect(spec.volumes).toEqual([{ name: "berth", emptyDir: { sizeLimit: "3Gi" } }]);
});

describe("why Kruise creates no pods", () => {
  const condition = (message: string, replicas = 2): CloneSet => ({
    ...set({ replicas }, OF_POOL),
    metadata: { ...set({}, OF_POOL).metadata, name: "pool-node-1", generation: 1 },
    status: { observedGeneration: 1, conditions: [{ type: "FailedScale", status: "True", message }] },
  });

  test.each([
    ["exceeded quota: few, requested: pods=1", "exceeded quota: few, requested: pods=1"],
    ["scaleUp is limited because of scaleStrategy.maxUnavailable, limit: 0", null],
    [
      'failed to create pod: admission webhook "a.b" denied the request: no, pod: {"metadata":{"name":"pool-node-1-abcde"}}',
      'admission webhook "a.b" denied the request: no',
    ],
    ['pods "pool-node-1-abcde" is forbidden', 'pods "pool-node-1-…" is forbidden'],
  ])("%s", (message, told) => {
    expect(failedScaleOf(condition(message))).toBe(told);
    expect(failedScaleOf(condition(message, 0))).toBeNull();
  });
});
