import { describe, expect, test } from "vitest";
import type { Pod } from "../../../../../../pool-manager/platform/kruise/objects/objects.ts";
import { firstSight, obstacleOf, type Sightings, sighted, silenceOf } from "../../../../../../pool-manager/platform/kruise/pods/obstacle.ts";
import type { ObstacleKind } from "../../../../../../pool-manager/platform/platform.ts";
import { pod } from "../../../../../helpers/builders/objects.ts";

describe("what keeps a pod from serving", () => {
  const podOf = (status: Pod["status"], metadata: Partial<Pod["metadata"]> = {}, nodeName = "n") =>
    pod("p", { metadata, spec: { ...(nodeName && { nodeName }), containers: [] }, status });
  const runs = { phase: "Running", podIP: "10.0.0.1", containerStatuses: [{ name: "runtime", image: "", restartCount: 0, state: { running: {} } }] };
  const pulls = {
    phase: "Pending",
    containerStatuses: [{ name: "runtime", image: "", restartCount: 0, state: { waiting: { reason: "ErrImagePull", message: "gone" } } }],
  };
  const container = (name: string, state: object, restartCount = 0) => ({ name, image: "", restartCount, state });
  const creating = { phase: "Pending", containerStatuses: [container("runtime", { waiting: { reason: "ContainerCreating" } })] };
  const failsFirst = {
    phase: "Pending",
    podIP: "10.0.0.1",
    initContainerStatuses: [container("proxy-init", { waiting: { reason: "CrashLoopBackOff", message: "back-off 40s" } }, 3)],
    containerStatuses: [container("runtime", { waiting: { reason: "PodInitializing" } })],
  };
  const crashes = {
    ...runs,
    containerStatuses: [container("runtime", { waiting: { reason: "CrashLoopBackOff", message: "back-off 20s" } }, 2)],
  };
  const stopped = { ...runs, containerStatuses: [container("runtime", { terminated: { reason: "OOMKilled", exitCode: 137 } }, 1)] };
  const disrupted = { type: "DisruptionTarget", status: "True", reason: "DeletionByPodGC", message: "PodGC: node no longer exists" };
  const nodeGone = { phase: "Failed", conditions: [disrupted] };
  const unschedulable = { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/1 nodes" }] };
  const deleting = { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 5, finalizers: ["a/b"] };
  const connected: Sightings = { ...firstSight(0), unconnectedSince: null };

  test.each<[string, Pod, Sightings, number, ObstacleKind | null, RegExp]>([
    ["runs and is connected", podOf(runs), connected, 100_000, null, /$/],
    ["is connected before the API server shows that it runs", podOf(pulls), connected, 100_000, null, /$/],
    ["runs and is not connected", podOf(runs), firstSight(0), 100_000, "unreachable", /no connection/],
    ["waits for a node", podOf(unschedulable, {}, ""), firstSight(0), 100_000, "pending", /Unschedulable: 0\/1 nodes/],
    ["cannot be started", podOf(pulls), firstSight(0), 100_000, "blocked", /ErrImagePull: gone/],
    ["has an init container that fails", podOf(failsFirst), firstSight(0), 100_000, "blocked", /^init container proxy-init: CrashLoopBackOff: back-off 40s/],
    ["waits for what only its Events tell", podOf(creating), firstSight(0), 100_000, "blocked", /^no connection$/],
    ["runs again and again", podOf(crashes), firstSight(0), 100_000, "unreachable", /^its runtime has stopped: CrashLoopBackOff: back-off 20s; no connection$/],
    ["has just stopped", podOf(stopped), firstSight(0), 100_000, "unreachable", /^its runtime has stopped: OOMKilled: exit code 137; no connection$/],
    ["has been evicted", podOf({ phase: "Failed", reason: "Evicted" }), connected, 100_000, "ended", /Evicted/],
    [
      "was refused by its node",
      podOf({ phase: "Failed", reason: "OutOfpods", message: "too many pods" }),
      connected,
      100_000,
      "ended",
      /OutOfpods: too many pods/,
    ],
    [
      "was ended since its node is gone",
      podOf(nodeGone),
      connected,
      100_000,
      "ended",
      /^the pod has ended: Failed: DeletionByPodGC: PodGC: node no longer exists$/,
    ],
    ["has ended and is held", podOf({ phase: "Succeeded" }, deleting), connected, 20_001, "ended", /Succeeded; it waits for the finalizers a\/b/],
    ["has ended well", podOf({ phase: "Succeeded" }), connected, 100_000, "ended", /Succeeded/],
    ["is being deleted, within its time", podOf(runs, deleting), connected, 20_000, null, /$/],
    ["is being deleted, overdue", podOf(runs, deleting), connected, 20_001, "stuck", /finalizers a\/b/],
  ])("one that %s", (_what, candidate, before, now, kind, message) => {
    const found = obstacleOf(candidate, sighted(before, candidate, 0), "no connection", null, now);
    expect(found?.kind ?? null).toBe(kind);
    expect(found?.message ?? "").toMatch(message);
  });

  test("an instance that answers and is no longer listed gets no invocation until it is listed again", () => {
    const missing = { ...connected, missingSince: 7 };
    expect(obstacleOf(podOf(runs), missing, null, null, 10)).toMatchObject({ kind: "unreachable", since: 7 });
    expect(obstacleOf(podOf(runs), sighted(missing, podOf(runs), 9), null, null, 10)).toBeNull();
  });

  test("an instance that has not started on an absent node is unreachable since the later of both", () => {
    const node = { since: 50, message: "away" };
    const at = (scheduledAt: number, candidate: Pod) => obstacleOf(candidate, sighted(firstSight(0), candidate, scheduledAt), "no connection", node, 1000);
    expect([at(10, podOf(pulls)), at(90, podOf(pulls))]).toMatchObject([
      { kind: "unreachable", since: 50, message: "away" },
      { kind: "unreachable", since: 90 },
    ]);
    expect([at(90, podOf(runs))?.message, at(90, podOf(unschedulable, {}, ""))?.kind]).toEqual(["no connection", "pending"]);
  });

  test("a node is absent if instances ran there and none of them answers", () => {
    const runningSince = 1;
    const silent = (since: number): Sightings => ({ ...firstSight(0), runningSince, unconnectedSince: since });
    expect(silenceOf([])).toBeNull();
    expect(silenceOf([silent(5), { ...connected, runningSince }])).toBeNull();
    expect(
      silenceOf([
        { ...silent(5), deletingSince: 6 },
        { ...silent(5), endedSince: 6 },
        { ...silent(5), runningSince: null },
      ]),
    ).toBeNull();
    expect(silenceOf([silent(5), silent(9), { ...connected, runningSince, deletingSince: 2 }])).toEqual({
      since: 9,
      message: "none of the 2 instances on its node answers",
    });
  });
});
