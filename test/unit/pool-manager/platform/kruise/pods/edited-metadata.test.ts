import { expect, test } from "vitest";
import { type Sizes, World } from "../../../../../kubernetes/berth/world.ts";
import type { ApiObject } from "../../../../../kubernetes/objects/object.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

const SIZES: Sizes = { functions: ["f", "g"], warmEach: 2, free: 2, max: 10 };

function inWorld(seed: number, body: (world: World, time: VirtualTime) => Promise<void>, sizes: Sizes = SIZES): Promise<void> {
  return VirtualTime.run(seed, async (time) => {
    const world = new World(time, sizes);
    await world.begin();
    await body(world, time);
    await world.end();
  });
}

const pods = ({ cluster }: World) => cluster.store.list("/pods");
const sets = ({ cluster }: World, kind: "pool" | "fn") =>
  cluster.store.list("apps.kruise.io/clonesets").filter(({ metadata }) => metadata.name.startsWith(kind));
const pathOf = ({ cluster }: World, object: ApiObject | undefined) =>
  object?.kind === "CloneSet"
    ? `/apis/apps.kruise.io/v1alpha1/namespaces/${cluster.namespace}/clonesets/${object.metadata.name}`
    : `/api/v1/namespaces/${cluster.namespace}/pods/${object?.metadata.name}`;
const edit = (world: World, object: ApiObject | undefined, change: object) => world.cluster.at("PATCH", pathOf(world, object), change);
const told = ({ events }: World, text: RegExp) => events.filter((event) => text.test(JSON.stringify(event))).length;

/** A webhook that takes what is Berth's away from pods when they are changed. */
function strip({ cluster }: World, field: "labels" | "annotations"): () => void {
  return cluster.api.admission.mutate(({ operation, kind, object }) => {
    if (operation !== "UPDATE" || kind.kind !== "Pod") return object;
    const kept = Object.entries(object.metadata[field] ?? {}).filter(([name]) => !name.startsWith("berth.dev/"));
    return { ...object, metadata: { ...object.metadata, [field]: Object.fromEntries(kept) } };
  });
}

test("a webhook that removes Berth's labels from changed pods makes no instances pile up, is reported, and harms nothing once it is gone", () =>
  inWorld(1, async (world, time) => {
    const undo = strip(world, "labels");
    await world.deploy("h", 1);
    await time.sleep(120_000);
    expect(pods(world).length).toBeLessThanOrEqual(4 + 2 + 1);
    expect(told(world, /action.failed.*takes .*berth.dev\/set.* away from pods.*"again":false/)).toBe(1);
    expect([world.broken, world.removed]).toEqual([0, []]);
    undo();
    await time.sleep(200_000);
    expect(pods(world).filter(({ metadata }) => metadata.labels?.["berth.dev/function"])).toHaveLength(5);
    expect([world.broken, world.removed, pods(world).length]).toEqual([0, [], 7]);
  }));

test("a webhook that removes Berth's annotations from changed pods is reported, and Berth does not repeat its writes without end", () =>
  inWorld(2, async (world, time) => {
    strip(world, "annotations");
    await world.deploy("h", 1);
    let writes = 0;
    world.cluster.store.listen({ changed: ({ resource }) => resource === "/pods" && writes++, restored: () => {} });
    await time.sleep(30_000);
    const early = writes;
    await time.sleep(60_000);
    expect([early < 40, writes - early < 10]).toEqual([true, true]);
    expect(told(world, /action.failed.*takes .*berth.dev\/revision.* away from pods.*"again":false/)).toBe(1);
    expect([world.broken, world.removed]).toEqual([0, []]);
  }));

test("a function's CloneSet whose label names another function is still the function's, and gets its label back", () =>
  inWorld(3, async (world, time) => {
    const [set] = sets(world, "fn");
    const label = set?.metadata.labels?.["berth.dev/function"];
    edit(world, set, { metadata: { labels: { "berth.dev/function": "oops" } } });
    for (const pod of pods(world)) edit(world, pod, { metadata: { annotations: { "somebody/else": "1" } } });
    await time.sleep(120_000);
    expect([world.broken, world.removed]).toEqual([0, []]);
    expect(sets(world, "fn")[0]?.metadata.labels?.["berth.dev/function"]).toBe(label);
  }));

test("a pool's CloneSet whose template names another pool makes no pods beyond the pool's size, and gets its label back", () =>
  inWorld(4, async (world, time) => {
    const [set] = sets(world, "pool");
    edit(world, set, { spec: { template: { metadata: { labels: { "berth.dev/pool": "other" } } } } });
    const free = pods(world).find(({ metadata }) => !metadata.labels?.["berth.dev/function"]);
    world.cluster.at("DELETE", pathOf(world, free));
    await time.sleep(120_000);
    expect([pods(world).length, world.removed]).toEqual([6, []]);
    const template = sets(world, "pool")[0]?.spec as { template: { metadata: { labels: Record<string, string> } } };
    expect(template.template.metadata.labels["berth.dev/pool"]).toBe("node");
  }));

test("a pool's CloneSet that has lost all labels goes on creating, and gets its label back", () =>
  inWorld(5, async (world, time) => {
    const [set] = sets(world, "pool");
    edit(world, set, { metadata: { labels: null } });
    const free = pods(world).find(({ metadata }) => !metadata.labels?.["berth.dev/function"]);
    world.cluster.at("DELETE", pathOf(world, free));
    await time.sleep(60_000);
    expect(sets(world, "pool")[0]?.metadata.labels?.["berth.dev/pool"]).toBe("node");
    expect([pods(world).length, world.broken]).toEqual([6, 0]);
  }));

test("a pool whose CloneSet was deleted without its pods is not doubted: they serve, and go when they are too many", () =>
  inWorld(
    6,
    async (world, time) => {
      const [set] = sets(world, "pool");
      for (const pod of pods(world).filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === set?.metadata.uid)))
        edit(world, pod, { metadata: { ownerReferences: null } });
      world.cluster.store.remove("apps.kruise.io/clonesets", world.cluster.namespace, set?.metadata.name ?? "");
      await time.sleep(120_000);
      expect(told(world, /observation.doubted/)).toBe(0);
      expect([world.broken, world.removed, pods(world).length]).toEqual([0, [], 16]);
    },
    { ...SIZES, functions: ["f"], free: 14, max: 20 },
  ));
