import { describe, expect, test } from "vitest";
import type { Pod } from "../../../../../pool-manager/platform/kruise/objects/objects.ts";
import { firstSight, obstacleOf, type Sightings, sighted, silenceOf } from "../../../../../pool-manager/platform/kruise/pods/obstacle.ts";
import type { Obstacle, ObstacleKind } from "../../../../../pool-manager/platform/platform.ts";
import { decide } from "../../../../../pool-manager/pool/decide/decide.ts";
import type { InstanceView, World } from "../../../../../pool-manager/pool/decide/world.ts";
import { fn, instance, kinds, NOW, PACE, POOL, waiting, warm, world } from "../../../../helpers/builders/world.ts";

const obstacle = (kind: ObstacleKind, ms: number): Obstacle => ({ kind, since: NOW - ms, message: "" });
const starting = (uid: string, kind: ObstacleKind, ms: number) =>
  instance(uid, { state: "starting", lastUsedAt: 1000, runningSince: kind === "unreachable" ? NOW - ms : null, obstacle: obstacle(kind, ms) });
const created = ({ actions }: ReturnType<typeof decide>) => actions.reduce((sum, action) => sum + (action.kind === "scale" ? action.create : 0), 0);
const removed = (change: Partial<World>) => kinds(decide(world(change)).actions).filter((kind) => kind.startsWith("remove"));

describe("what cannot serve does not count", () => {
  const HOURS = 10 * 3_600_000;

  test("pods that wait for a node stay, however long, and no more are asked for than the pool lacks", () => {
    const instances = [starting("p1", "pending", HOURS), starting("p2", "pending", HOURS)];
    expect(decide(world({ instances })).actions).toEqual([]);
    expect(created(decide(world({ instances: instances.slice(1) })))).toBe(1);
  });

  test("a pod that runs and cannot be reached is given its time, then made up for once, and not removed for that", () => {
    const good = instance("good");
    expect(decide(world({ instances: [good, starting("u", "unreachable", PACE.startTimeoutMs - 1)] })).actions).toEqual([]);
    const decision = decide(world({ instances: [good, starting("u", "unreachable", PACE.startTimeoutMs + 1)] }));
    expect([created(decision), kinds(decision.actions)]).toEqual([1, ["scale"]]);
  });

  test("nobody who needs an instance waits for free ones that ran when this pool manager came, and that it has not reached", () => {
    const pace = { ...PACE, startTimeoutMs: 60_000 };
    const unheard = (ms: number) => ["u1", "u2", "u3"].map((uid) => ({ ...starting(uid, "unreachable", ms), createdAt: 1, seenAt: NOW - ms }));
    const needed = { pace, functions: [fn("a")], demand: waiting("a") };
    const late = unheard(PACE.lostAfterMs + 1);
    expect(created(decide(world({ ...needed, instances: unheard(PACE.lostAfterMs - 1) })))).toBe(0);
    expect(created(decide(world({ ...needed, instances: late })))).toBe(1);
    expect(created(decide(world({ ...needed, instances: late, expectedCreations: new Map([["node", 1]]) })))).toBe(0);
    // The pool's own size can wait; those that this pool manager has seen to start still start; and all of them stay.
    expect(created(decide(world({ pace, instances: late })))).toBe(0);
    expect(created(decide(world({ ...needed, instances: late.map((one) => ({ ...one, createdAt: one.seenAt })) })))).toBe(0);
    expect(removed({ ...needed, instances: late })).toEqual([]);
  });

  test("nobody who needs an instance waits for those that are to start on a node that is away; no more are asked for than are needed", () => {
    const pace = { ...PACE, startTimeoutMs: 60_000 };
    const away = (ms: number) => ["s1", "s2", "s3"].map((uid) => ({ ...starting(uid, "unreachable", ms), runningSince: null }));
    const needed = { pace, functions: [fn("a")], demand: waiting("a") };
    expect(created(decide(world({ ...needed, instances: away(PACE.lostAfterMs - 1) })))).toBe(0);
    expect(created(decide(world({ ...needed, instances: away(PACE.lostAfterMs + 1) })))).toBe(1);
    expect(created(decide(world({ ...needed, instances: [...away(PACE.lostAfterMs + 1), starting("s4", "blocked", 1)] })))).toBe(0);
    expect(removed({ ...needed, instances: away(PACE.lostAfterMs + 1) })).toEqual([]);
  });

  test("where none can be reached, a pool makes up for as many as it keeps free, and tries one again after a long while", () => {
    const lost = (count: number, ms: number) => Array.from({ length: count }, (_, i) => starting(`u${i}`, "unreachable", ms));
    expect(created(decide(world({ instances: lost(2, 20_000) })))).toBeGreaterThan(0);
    expect(created(decide(world({ instances: lost(4, 20_000) })))).toBe(0);
    expect(removed({ instances: lost(4, 20_000) })).toEqual([]);
    // One has started since: what was wrong is mended.
    const since = (count: number) => lost(count, 20_000).map((one) => ({ ...one, seenAt: NOW - 30_000 }));
    expect(created(decide(world({ instances: [...since(4), instance("since", { readyAt: NOW - 1000 })] })))).toBe(1);
    expect(created(decide(world({ instances: [...since(4), instance("before", { readyAt: NOW - 40_000 })] })))).toBe(0);
    expect(removed({ instances: lost(4, 11 * PACE.startTimeoutMs) })).toEqual(["remove u0: unreachable"]);
  });

  test("a good free one is never removed in favour of one that cannot be reached: that one goes first", () => {
    const instances = [instance("a"), instance("b"), starting("u", "unreachable", 20_000)];
    expect(removed({ instances })).toEqual(["remove u: unreachable"]);
    const early = [instance("a"), instance("b"), starting("u", "unreachable", 1000)];
    expect(removed({ instances: early }).filter((kind) => kind.endsWith("pool-shrunk"))).toHaveLength(0);
  });

  test("a free one whose connection is gone is not handed out, and is made up for when it stays away", () => {
    const broken = (ms: number) => [
      instance("gone", { obstacle: obstacle("unreachable", ms), lastUsedAt: 1000, readyAt: 1 }),
      instance("good", { readyAt: 2 }),
    ];
    const orders = (ms: number) => decide(world({ functions: [fn("a")], demand: waiting("a"), instances: broken(ms) })).actions;
    expect(orders(1).filter((action) => action.kind === "specialize")).toMatchObject([{ instance: { uid: "good" } }]);
    expect(created(decide(world({ instances: broken(1) })))).toBe(0);
    expect(created(decide(world({ instances: broken(PACE.lostAfterMs + 1) })))).toBe(1);
  });

  test("an unheard one that a router uses is not lost: it may serve a function that nobody has recorded", () => {
    const used = { inFlight: 1, lastUsedAt: NOW };
    expect(removed({ instances: [instance("a"), instance("b"), { ...starting("u", "unreachable", HOURS), ...used }] })).toEqual([]);
  });

  test.each(["ended", "stuck"] as const)("what has %s holds no place", (kind) => {
    const corpses = Array.from({ length: POOL.max }, (_, i) =>
      instance(`c${i}`, { state: "failed", removing: true, deleting: true, obstacle: obstacle(kind, 60_000) }),
    );
    const decision = decide(world({ functions: [fn("a")], demand: waiting("a"), instances: corpses }));
    expect(created(decision)).toBeGreaterThan(0);
    const full = corpses.map((corpse) => ({ ...corpse, obstacle: null }));
    expect(created(decide(world({ functions: [fn("a")], demand: waiting("a"), instances: full })))).toBe(0);
  });

  test("a free one that is recorded as the instance of a function nobody knows is not counted as free, and is made up for", () => {
    const instances = [instance("good"), instance("edited", { boundTo: "nobody" })];
    const unknownFunctions = new Map([["nobody", "unproven" as const]]);
    expect(created(decide(world({ instances, unknownFunctions })))).toBe(1);
    expect(removed({ instances, unknownFunctions })).toEqual([]);
  });

  test("what has ended unheard is failed, and is removed", () => {
    expect(removed({ instances: [instance("e", { state: "failed", obstacle: obstacle("ended", 1) })] })).toEqual(["remove e: failed"]);
  });

  test("at max, lost ones make room before idle ones do; where no node has room, an idle one does, although the pool's max would allow more", () => {
    const idle = (count: number) => Array.from({ length: count }, (_, i) => warm(`w${i}`, "b", { lastUsedAt: NOW - i }));
    const functions = [fn("a"), fn("b", { idleTimeoutMs: HOURS })];
    expect(removed({ functions, demand: waiting("a"), instances: [...idle(5), starting("u", "unreachable", 20_000)] })).toEqual(["remove u: unreachable"]);
    const homeless = [...idle(2), starting("p1", "pending", 10_000), starting("p2", "pending", 10_000), starting("p3", "pending", 10_000)];
    expect(removed({ functions, demand: waiting("a"), instances: homeless })).toEqual(["remove w1: reaped"]);
  });

  test("the platform is asked for instances beside those that were seen, whatever becomes of them", () => {
    const instances = [instance("failed", { state: "failed" }), instance("leaving", { removing: true }), instance("free")];
    const [scale] = decide(world({ instances })).actions.filter((action) => action.kind === "scale");
    expect(scale).toMatchObject({ more: 1, create: 1, seen: new Set(["failed", "leaving", "free"]) });
  });
});

describe("a new leader", () => {
  const old = (view: InstanceView): InstanceView => ({ ...view, createdAt: -1e9, seenAt: NOW, lastUsedAt: NOW, readyAt: NOW, runningSince: NOW });
  const unheard = (uid: string, change: Partial<InstanceView> = {}) =>
    old(instance(uid, { state: "starting", obstacle: { kind: "unreachable", since: NOW, message: "" }, ...change }));

  test("removes nothing and creates nothing for pods of any age that it has not heard yet", () => {
    const bound = { boundTo: "a", boundRevision: "r1" };
    const instances = [unheard("free1"), unheard("free2"), unheard("bound", bound), old(warm("warm", "a")), old(warm("other", "a"))];
    expect(decide(world({ functions: [fn("a")], instances })).actions).toEqual([]);
  });

  test("keeps a function's instance that it cannot reach for the whole start timeout, and then as long as a router uses it; then it drains it", () => {
    const at = (ms: number, lastUsedAgoMs = ms) => {
      const silent = warm("w", "a", { seenAt: NOW - ms, lastUsedAt: NOW - lastUsedAgoMs, obstacle: obstacle("unreachable", ms) });
      return decide(world({ pools: [{ ...POOL, size: 0 }], functions: [fn("a", { timeoutMs: 40_000, idleTimeoutMs: 1e9 })], instances: [silent] })).actions;
    };
    expect(at(PACE.startTimeoutMs - 1)).toEqual([]);
    expect(at(10 * PACE.startTimeoutMs, 1000)).toEqual([]);
    expect(at(PACE.startTimeoutMs + 1)).toMatchObject([{ kind: "remove", reason: "unreachable", drainMs: 40_000 }]);
  });

  test("keeps the instances of a function that it does not know until its end is known", () => {
    const ended = (end: "unproven" | "unused" | "deleted") => removed({ instances: [warm("o", "f")], unknownFunctions: new Map([["f", end]]) });
    expect(["unproven", "unused", "deleted"].map((end) => ended(end as "unproven"))).toEqual([[], ["remove o: orphaned"], ["remove o: deleted-function"]]);
  });
});

describe("what keeps a pod from serving", () => {
  const pod = (status: Pod["status"], metadata: Partial<Pod["metadata"]> = {}, nodeName: string | undefined = "n"): Pod => ({
    metadata: { name: "p", uid: "p", resourceVersion: "1", creationTimestamp: "", ...metadata },
    spec: { ...(nodeName && { nodeName }), containers: [] },
    status,
  });
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
    ["runs and is connected", pod(runs), connected, 100_000, null, /$/],
    ["is connected before the API server shows that it runs", pod(pulls), connected, 100_000, null, /$/],
    ["runs and is not connected", pod(runs), firstSight(0), 100_000, "unreachable", /no connection/],
    ["waits for a node", pod(unschedulable, {}, ""), firstSight(0), 100_000, "pending", /Unschedulable: 0\/1 nodes/],
    ["cannot be started", pod(pulls), firstSight(0), 100_000, "blocked", /ErrImagePull: gone/],
    ["has an init container that fails", pod(failsFirst), firstSight(0), 100_000, "blocked", /^init container proxy-init: CrashLoopBackOff: back-off 40s/],
    ["waits for what only its Events tell", pod(creating), firstSight(0), 100_000, "blocked", /^no connection$/],
    ["runs again and again", pod(crashes), firstSight(0), 100_000, "unreachable", /^its runtime has stopped: CrashLoopBackOff: back-off 20s; no connection$/],
    ["has just stopped", pod(stopped), firstSight(0), 100_000, "unreachable", /^its runtime has stopped: OOMKilled: exit code 137; no connection$/],
    ["has been evicted", pod({ phase: "Failed", reason: "Evicted" }), connected, 100_000, "ended", /Evicted/],
    [
      "was refused by its node",
      pod({ phase: "Failed", reason: "OutOfpods", message: "too many pods" }),
      connected,
      100_000,
      "ended",
      /OutOfpods: too many pods/,
    ],
    [
      "was ended since its node is gone",
      pod(nodeGone),
      connected,
      100_000,
      "ended",
      /^the pod has ended: Failed: DeletionByPodGC: PodGC: node no longer exists$/,
    ],
    ["has ended and is held", pod({ phase: "Succeeded" }, deleting), connected, 20_001, "ended", /Succeeded; it waits for the finalizers a\/b/],
    ["has ended well", pod({ phase: "Succeeded" }), connected, 100_000, "ended", /Succeeded/],
    ["is being deleted, within its time", pod(runs, deleting), connected, 20_000, null, /$/],
    ["is being deleted, overdue", pod(runs, deleting), connected, 20_001, "stuck", /finalizers a\/b/],
  ])("one that %s", (_what, candidate, before, now, kind, message) => {
    const found = obstacleOf(candidate, sighted(before, candidate, 0), "no connection", null, now);
    expect(found?.kind ?? null).toBe(kind);
    expect(found?.message ?? "").toMatch(message);
  });

  test("one that answers and is no longer listed gets nothing new, until it is listed again", () => {
    const missing = { ...connected, missingSince: 7 };
    expect(obstacleOf(pod(runs), missing, null, null, 10)).toMatchObject({ kind: "unreachable", since: 7 });
    expect(obstacleOf(pod(runs), sighted(missing, pod(runs), 9), null, null, 10)).toBeNull();
  });

  test("one that has not started on a node that is away is out of reach since the later of both", () => {
    const node = { since: 50, message: "away" };
    const at = (scheduledAt: number, candidate: Pod) => obstacleOf(candidate, sighted(firstSight(0), candidate, scheduledAt), "no connection", node, 1000);
    expect([at(10, pod(pulls)), at(90, pod(pulls))]).toMatchObject([
      { kind: "unreachable", since: 50, message: "away" },
      { kind: "unreachable", since: 90 },
    ]);
    expect([at(90, pod(runs))?.message, at(90, pod(unschedulable, {}, ""))?.kind]).toEqual(["no connection", "pending"]);
  });

  test("a node is away when instances ran there and none of them answers", () => {
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
