import { expect, test } from "vitest";
import { Availability } from "../../../../../../pool-manager/platform/kruise/disruption/availability.ts";
import { startedPlatform } from "../../../../../kubernetes/berth/started-platform.ts";
import { KruiseCluster } from "../../../../../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

const NOW = 1000;

function serving(count: number, functionUid = "f"): Availability {
  const availability = new Availability();
  for (let n = 0; n < count; n++) availability.observe(`${functionUid}${n}`, functionUid, NOW);
  return availability;
}

test.each([
  [0, 0],
  [1, 0],
  [2, 1],
  [5, 4],
  [9, 8],
  [10, 8],
  [100, 80],
])("of %i instances %i have to stay", (count, required) => {
  expect(serving(count).required(NOW)).toBe(required);
});

test("an instance that others ended allows no further eviction until it is replaced", () => {
  const availability = serving(5);
  availability.observe("f0", null, NOW);
  expect(availability.required(NOW)).toBe(4);
  availability.observe("f5", "f", NOW);
  expect(availability.required(NOW)).toBe(4);
});

test("the replacement of another function's instance does not count for it", () => {
  const availability = serving(5);
  availability.observe("f0", null, NOW);
  availability.observe("g0", "g", NOW);
  expect(availability.required(NOW)).toBe(5);
});

test("an instance that nothing replaces counts for a minute", () => {
  const availability = serving(5);
  availability.observe("f0", null, NOW);
  expect(availability.required(NOW + 59_999)).toBe(4);
  expect(availability.required(NOW + 60_000)).toBe(3);
});

test("an instance that Berth itself ends does not count any more", () => {
  const availability = serving(5);
  for (const uid of ["f0", "f1"]) {
    availability.asked(uid);
    expect(availability.required(NOW)).toBe(uid === "f0" ? 4 : 3);
    availability.observe(uid, null, NOW);
  }
  expect(availability.required(NOW)).toBe(2);
});

test("an instance that is seen again, or was never a function's, changes nothing", () => {
  const availability = serving(5);
  availability.observe("f0", "f", NOW);
  availability.observe("free", null, NOW);
  availability.asked("free");
  expect(availability.required(NOW)).toBe(4);
});

test("a user who deletes five pods of a function by hand can delete one a minute, though none is replaced", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, code, prewarmed, fill } = await startedPlatform(cluster);
    platform.prepareCode([code.add("f1")]);
    await fill(time, 5);
    for (const { uid, resourceVersion } of prewarmed()) await platform.bind({ uid, resourceVersion }, { functionUid: "f1", revision: "r1" });
    await time.sleep(30_000);
    const alive = () => cluster.store.list("/pods").filter(({ metadata }) => !metadata.deletionTimestamp);
    const refusals: string[] = [];
    for (let second = 0; second < 50; second += 10) {
      try {
        cluster.at("DELETE", `/api/v1/namespaces/${cluster.namespace}/pods/${alive()[0]?.metadata.name}`);
      } catch (error) {
        refusals.push((error as Error).message);
      }
      await time.sleep(10_000);
    }
    expect([alive().length, refusals.length]).toEqual([4, 4]);
    expect(refusals[0]).toContain("pub unavailable allowed is negative");
    // Removals by Berth itself are not delayed.
    for (const { uid, resourceVersion } of [...platform.observe().instances.values()]) await platform.remove({ uid, resourceVersion });
    await time.reach(() => alive().length === 0, "Berth removes the others");
    await platform.close();
  }));
