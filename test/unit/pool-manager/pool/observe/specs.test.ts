import { afterEach, expect, test, vi } from "vitest";
import { FunctionIndex } from "../../../../../pool-manager/functions/function-index.ts";
import { parseManifest } from "../../../../../pool-manager/functions/manifest/manifest.ts";
import { revisionTargetOf } from "../../../../../pool-manager/pool/observe/world-builder.ts";
import { Rest } from "../../../../helpers/builders/rest.ts";

const CROWD = 300;

afterEach(() => {
  vi.restoreAllMocks();
});

/** A pool manager at rest with many functions that were never invoked. */
async function crowded(): Promise<Rest> {
  const rest = await Rest.reach();
  for (let i = 0; i < CROWD; i++) await rest.functions.deploy(`idle-${i}`, () => parseManifest({}, ["node"]), { layer: "one", entry: "index.mjs" });
  await rest.pass(1000);
  return rest;
}

const looked = (rest: Rest) => {
  const names = rest.reconciler.view().functions.map(({ uid, revision }) => `${rest.functions.byUid(uid)?.name} ${revision}`);
  return names.sort();
};

test("a round reads only functions with instances, however many others there are, and a deployment lists none of the others", async () => {
  const rest = await crowded();
  const list = vi.spyOn(FunctionIndex.prototype, "list");
  expect(looked(rest)).toEqual(["f r1"]);
  await rest.functions.deploy("idle-7", () => parseManifest({}, ["node"]), { layer: "two", entry: "index.mjs" });
  await rest.pass(2000);
  expect(list).not.toHaveBeenCalled();
});

test("a round reads a function that is invoked, tried, kept warm or rolled out, and only while it is", async () => {
  const rest = await crowded();
  const uidOf = (name: string) => rest.functions.get(name).uid;
  const entry = { key: uidOf("idle-1"), revision: "r1", waiting: 0, inFlight: 0, oldestWaitMs: 0, ended: 0, failed: 0, instances: [] };
  rest.reconciler.report({ router: "a", seq: 100, functions: [{ ...entry, waiting: 1 }], suspects: [] });
  expect(looked(rest)).toEqual(["f r1", "idle-1 r1"]);
  // Routers report idle functions too, at least once.
  const idle = Array.from({ length: 50 }, (_, i) => ({ ...entry, key: uidOf(`idle-${100 + i}`) }));
  rest.reconciler.report({ router: "a", seq: 101, functions: idle, suspects: [] });
  expect(looked(rest)).toEqual(["f r1", "idle-1 r1"]);
  const verdict = rest.reconciler.trials.wait(uidOf("idle-2"), "r1", 5000);
  expect(looked(rest)).toEqual(["f r1", "idle-1 r1", "idle-2 r1"]);
  await rest.pass(3500);
  expect(await verdict).toEqual({ state: "loaded" });
  // Both have got their instance.
  expect(looked(rest)).toEqual(["f r1", "idle-1 r1", "idle-2 r1"]);

  const deploy = (change: object, layer: string) => rest.functions.deploy("idle-3", () => parseManifest(change, ["node"]), { layer, entry: "index.mjs" });
  await deploy({ minScale: 1 }, "one");
  expect(looked(rest)).toContain("idle-3 r1");
  await rest.pass(1000);
  expect(rest.states().warm).toBe(23);
});

test("a round no longer reads a function that nothing keeps warm and whose rollout is over", async () => {
  const rest = await crowded();
  const deploy = (change: object, layer: string) => rest.functions.deploy("idle-3", () => parseManifest(change, ["node"]), { layer, entry: "index.mjs" });
  const wanting = () => rest.functions.wanting().map(({ name }) => name);
  expect(wanting()).toEqual(["f"]);
  await deploy({ minScale: 1 }, "one");
  expect(wanting()).toEqual(["f", "idle-3"]);
  await deploy({ rollout: { steps: ["50%"], interval: "10s" } }, "two");
  expect([wanting(), rest.functions.rolling().map(({ name }) => name)]).toEqual([["f", "idle-3"], ["idle-3"]]);
  await rest.functions.steer("idle-3", "undo");
  expect([wanting(), rest.functions.rolling()]).toEqual([["f"], []]);
  await rest.functions.remove("f");
  expect(wanting()).toEqual([]);
});

test("a revision beside the active one has the instances that are kept of it, without an invocation, and none once its share ends", async () => {
  const rest = await Rest.reach();
  const deploy = (layer: string, canary?: number) =>
    rest.functions.deploy("a", () => parseManifest({ minScale: 1 }, ["node"]), { layer, entry: "index.mjs" }, { canary });
  await deploy("one");
  await deploy("two", 10);
  await rest.functions.setTraffic("a", { minScales: { r2: 2 } });
  const targets = () =>
    rest.reconciler.view().functions.flatMap(({ uid, revision, minScale }) => (uid === rest.functions.get("a").uid ? [[revision, minScale]] : []));
  const serving = () => {
    const own = [...rest.platform.observe().instances.values()].filter(
      ({ echo }) => echo?.functionUid === rest.functions.get("a").uid && echo.state === "warm",
    );
    return own.map(({ echo }) => echo?.revision).sort();
  };
  // biome-ignore format: one line
  expect(targets()).toEqual([["r1", 1], ["r2", 2]]);
  await rest.pass(1000);
  expect(serving()).toEqual(["r1", "r2", "r2"]);
  await rest.pass(400_000);
  expect(serving()).toEqual(["r1", "r2", "r2"]);
  await rest.functions.setTraffic("a", { split: {} });
  expect(targets()).toEqual([["r1", 1]]);
  await rest.pass(400_000);
  expect(serving()).toEqual(["r1"]);
});

test("code is searched among all functions only once the last one that was known to have it has lost it", async () => {
  const rest = await crowded();
  await rest.functions.remove(`idle-${CROWD - 1}`);
  const list = vi.spyOn(FunctionIndex.prototype, "list");
  for (let times = 0; times < 3; times++) expect(rest.functions.codeByDigest("one")).toEqual({ layer: "one", entry: "index.mjs" });
  expect(list).toHaveBeenCalledTimes(1);
});

test("a revision's target says what an instance may take, and which part of the minimum a schedule adds", async () => {
  const rest = await Rest.reach();
  await rest.functions.deploy("a", () => parseManifest({ minScale: 1, memory: "200Mi" }, ["node"]), { layer: "one", entry: "index.mjs" });
  const record = rest.functions.get("a");
  const [revision] = record.revisions;
  if (!revision) throw new Error("no revision");
  const target = (minScale: number) => revisionTargetOf(record, revision, 0, minScale);
  expect(target(4)).toMatchObject({ minScale: 4, scheduled: 3, memoryBytes: 200 * 2 ** 20 });
  expect(target(1)).not.toHaveProperty("scheduled");
});
