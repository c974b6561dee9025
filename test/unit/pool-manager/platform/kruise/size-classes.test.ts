import { afterEach, describe, expect, test } from "vitest";
import { SizeClasses } from "../../../../../pool-manager/functions/manifest/size-classes.ts";
import type { Pod } from "../../../../../pool-manager/platform/kruise/objects/objects.ts";
import { ClassWorld } from "../../../../kubernetes/berth/class-world.ts";
import { VirtualTime } from "../../../../kubernetes/virtual-time.ts";

const MIB = 2 ** 20;
const BASE = 192 * MIB;
const NONE = new SizeClasses(BASE, []);
const ONE = new SizeClasses(BASE, [1024 * MIB]);
const TWO = new SizeClasses(BASE, [512 * MIB, 1024 * MIB]);
/** Long enough for a CloneSet without claims to be settled, and for several rounds of healing. */
const SETTLED_MS = 20_000;

let world: ClassWorld;
const run = (work: (time: VirtualTime) => Promise<void>) => () =>
  VirtualTime.run(1, async (time) => {
    world = new ClassWorld(time);
    await work(time);
    await world.end();
  });
afterEach(() => expect(world.broken).toBe(0));

describe("size classes on a cluster that does not resize pods", () => {
  test(
    "a function with more memory gets pods that were made with its class's; a class that no function needs has none",
    run(async () => {
      await world.lead(TWO);
      await world.deploy("r1", { memory: "600Mi" });
      await world.reach({ node: 1, "node-1gi": 1, "node-1gi of f": 2 }, "the function is warm, and its pool is full");
      const limits = world.list<Pod>("/pods").map(({ metadata, spec }) => [metadata.labels?.["berth.dev/pool"], spec.containers[0]?.resources?.limits?.memory]);
      expect(new Map(limits as [string, string][])).toEqual(
        new Map([
          ["node", "256Mi"],
          ["node-1gi", "1088Mi"],
        ]),
      );
      expect(world.sets()).toEqual(["fn-1gi", "pool-node", "pool-node-1gi"]);
    }),
  );

  test.each([
    ["at once", false],
    ["once it is loaded", true],
  ])("another memory moves a function to another class and back under invocations, %s", (_how, onceLoaded) =>
    run(async (time) => {
      await world.lead(TWO);
      await world.deploy("r1", {});
      await world.reach({ node: 1, "node of f": 2 }, "it is warm in the base pool");
      await world.deploy("r2", { memory: "1Gi" }, onceLoaded);
      await world.reach({ node: 1, "node-1gi": 1, "node-1gi of f": 2 }, "it is warm in the class");
      await time.sleep(SETTLED_MS);
      expect(world.sets()).toEqual(["fn-1gi", "pool-node", "pool-node-1gi"]);
      await world.deploy("r3", { memory: "512Mi" }, onceLoaded);
      await world.reach({ node: 1, "node-512mi": 1, "node-512mi of f": 2 }, "it is warm in the smaller class");
      await world.deploy("r4", {}, onceLoaded);
      await world.reach({ node: 1, "node of f": 2 }, "it is warm in the base pool again");
      await time.sleep(SETTLED_MS);
      expect([...world.served.keys()].filter((pool) => pool !== "gone").sort()).toEqual(["node", "node-1gi", "node-512mi"]);
    })(),
  );

  test(
    "functions of a class that is not declared any more get others first, and its pods and CloneSets end",
    run(async (time) => {
      await world.lead(TWO);
      await world.deploy("r1", { memory: "512Mi" });
      await world.reach({ node: 1, "node-512mi": 1, "node-512mi of f": 2 }, "it is warm in its class");
      world.watch();
      await world.lead(ONE);
      await world.reach({ node: 1, "node-1gi": 1, "node-1gi of f": 2 }, "it is warm in the class that holds it");
      await time.sleep(SETTLED_MS);
      // Both instances of the former class served until two of the new one did.
      expect(world.least).toBeGreaterThanOrEqual(2);
      expect(world.sets()).toEqual(["fn-1gi", "pool-node", "pool-node-1gi"]);
    }),
  );

  test(
    "a function that no pool holds any more keeps running in the base pool, and its problem is told",
    run(async (time) => {
      await world.lead(ONE);
      await world.deploy("r1", { memory: "1Gi" });
      await world.reach({ node: 1, "node-1gi": 1, "node-1gi of f": 2 }, "it is warm in its class");
      world.watch();
      await world.lead(NONE, { memoryBytes: BASE, cpuMillis: 1000, of: "the pool's pods", fix: "declare a class that holds it with --size-classes" });
      const retired = () => world.manager.reconciler.reports.problemsOf("node-1gi");
      await time.reach(() => retired().length > 0, "the pool is known as one that is emptied");
      expect(retired()).toEqual([expect.stringContaining("not declared any more")]);
      await world.reach({ node: 1, "node of f": 2 }, "it is warm in the base pool");
      await time.sleep(SETTLED_MS);
      expect(world.least).toBeGreaterThanOrEqual(2);
      expect(world.sets()).toEqual(["fn", "pool-node"]);
      const [record] = world.manager.functions.list();
      expect(record && world.manager.reconciler.reports.problemsOfFunction(record)).toEqual([
        "memory: 1Gi is more than the 192Mi of the pool's pods; declare a class that holds it with --size-classes",
      ]);
    }),
  );

  test(
    "a class that is declared later takes the functions that need it",
    run(async () => {
      await world.lead(NONE);
      await world.deploy("r1", { memory: "1Gi" });
      await world.reach({ node: 1, "node of f": 2 }, "it is warm in the base pool");
      world.watch();
      await world.lead(ONE);
      await world.reach({ node: 1, "node-1gi": 1, "node-1gi of f": 2 }, "it is warm in its class");
      expect(world.least).toBeGreaterThanOrEqual(2);
    }),
  );
});
