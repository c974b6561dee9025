import { expect, test } from "vitest";
import { World } from "../../../../kubernetes/berth/world.ts";
import type { ApiObject, Fields } from "../../../../kubernetes/objects/object.ts";
import { VirtualTime } from "../../../../kubernetes/virtual-time.ts";

const SIZES = { functions: ["a", "b"], warmEach: 2, free: 3, max: 12 };
const MINUTE_MS = 60_000;

type Container = Fields & { name: string; image: string };
const containers = (change: (all: Container[]) => Container[]) => (object: ApiObject) => {
  const spec = object.spec as Fields & { containers: Container[] };
  return { ...object, spec: { ...spec, containers: change(spec.containers) } };
};
const each = (change: (container: Container) => Container) => containers((all) => all.map(change));
const mirrored = (image: string) => (image.startsWith("mirror.invalid/") ? image : `mirror.invalid/${image.replace(/^registry\.invalid\//, "")}`);

/** Changes that foreign webhooks make to pods: to new ones alone, or to changed ones too. */
const HOOKS: [string, "CREATE" | "both", (pod: ApiObject) => ApiObject][] = [
  ["names a mirror in each image", "both", each((one) => ({ ...one, image: mirrored(one.image) }))],
  ["names a mirror in the images of new pods alone", "CREATE", each((one) => ({ ...one, image: mirrored(one.image) }))],
  ["takes tags away and leaves digests", "both", each((one) => ({ ...one, image: one.image.replace(/:[^:@/]+@/, "@") }))],
  ["puts another container first", "CREATE", containers((all) => [{ name: "proxy", image: "proxy:1" }, ...all])],
  ["sets environment, resources and mounts", "CREATE", each((one) => ({ ...one, env: [{ name: "PROXY", value: "1" }], resources: { limits: { cpu: "1" } } }))],
];

test.each(HOOKS)("a webhook that %s keeps nothing from its work, and an idle pool makes no pods", (_, when, rewrite) =>
  VirtualTime.run(1, async (time) => {
    const world = new World(time, SIZES);
    let made = 0;
    world.cluster.api.admission.mutate(({ operation, kind, object }) => {
      if (kind.kind !== "Pod" || (operation !== "CREATE" && when === "CREATE")) return object;
      if (operation === "CREATE") made += 1;
      return operation === "DELETE" ? object : rewrite(object);
    });
    await world.begin();
    await world.deploy("a", SIZES.warmEach, "r2");
    await time.reach(() => world.loaded("r2") === SIZES.warmEach && world.isAtRest(), "the new revision is loaded");
    const [before, madeBefore] = [world.pods(), made];
    await time.sleep(3 * MINUTE_MS);
    await world.takeover("kill", true);
    await time.sleep(3 * MINUTE_MS);
    expect([world.pods(), made - madeBefore, world.broken, world.removed]).toEqual([before, 0, 0, []]);
    await world.deploy("a", SIZES.warmEach, "r3");
    await time.reach(() => world.loaded("r3") === SIZES.warmEach && world.isAtRest(), "one more revision is loaded");
    expect(world.broken).toBe(0);
    await world.end();
  }),
);
