import fc from "fast-check";
import { expect, test } from "vitest";
import { internalError } from "../../../../kubernetes/api/api-error.ts";
import type { Effect } from "../../../../kubernetes/api/faults.ts";
import { World } from "../../../../kubernetes/berth/world.ts";
import { VirtualTime } from "../../../../kubernetes/virtual-time.ts";

const trouble: fc.Arbitrary<{ path: RegExp; effect: Effect }> = fc.oneof(
  fc.record({
    path: fc.constantFrom(/\/log$/, /\/pods$/, /\/clonesets$/, /\/nodes$/),
    effect: fc.integer({ min: 100, max: 4000 }).map((ms) => ({ kind: "slow", ms }) as const),
  }),
  fc.record({
    path: fc.constantFrom(/\/log$/, /\/pods$/, /\/clonesets$/),
    effect: fc.constant({ kind: "refuse", error: internalError("etcd is away") } as const),
  }),
);
const step = fc.record({
  age: fc.constantFrom(5000, 65_000, 130_000),
  how: fc.constantFrom("stop" as const, "kill" as const),
  /** A standby takes over; else the same one starts again. */
  other: fc.boolean(),
  trouble: fc.option(trouble),
  troubleMs: fc.integer({ min: 100, max: 8000 }),
  rest: fc.integer({ min: 100, max: 20_000 }),
});

// I16
test("restarts and failovers at any moment end no instance that answers, whatever its age, and the pool never overshoots", async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 2 ** 30 }), (steps, seed) =>
    VirtualTime.run(seed, async (time) => {
      const world = new World(time, { functions: ["f", "g"], warmEach: 2, free: 3, max: 20 });
      await world.begin();
      const before = world.pods();
      for (const { age, how, other, trouble, troubleMs, rest } of steps) {
        await time.sleep(age);
        if (trouble) setTimeout(world.cluster.faults.add({ path: trouble.path }, trouble.effect), troubleMs);
        await world.takeover(how, other);
        await time.sleep(rest);
      }
      world.cluster.faults.clear();
      await time.sleep(65_000);
      await world.end();
      expect({ removed: world.removed, broken: world.broken, pods: world.pods(), most: world.mostPods }).toEqual({
        removed: [],
        broken: 0,
        pods: before,
        most: before.length,
      });
      expect(world.served).toBeGreaterThan(0);
    }),
  );
  await fc.assert(property, { seed: 7, numRuns: 5, endOnFailure: true });
});
