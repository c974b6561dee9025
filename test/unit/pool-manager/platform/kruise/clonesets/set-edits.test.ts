import { expect, test } from "vitest";
import { setPatch } from "../../../../../../pool-manager/platform/kruise/clonesets/patches.ts";
import type { CloneSet } from "../../../../../../pool-manager/platform/kruise/objects/objects.ts";
import { metadata } from "../../../../../helpers/builders/objects.ts";
import { ApiError } from "../../../../../kubernetes/api/api-error.ts";
import { startedPlatform } from "../../../../../kubernetes/berth/started-platform.ts";
import { KruiseCluster } from "../../../../../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

const SETS = "apps.kruise.io/clonesets";

/** A pool of one instance in virtual time, and edits of its CloneSet by hand. */
async function started(cluster: KruiseCluster, time: VirtualTime) {
  const pool = await startedPlatform(cluster);
  await pool.grow(1);
  await time.reach(() => pool.prewarmed().length === 1, "one is prewarmed");
  const set = () => cluster.store.list(SETS)[0] as unknown as CloneSet;
  const edit = (change: object) =>
    cluster.at("PATCH", `/apis/apps.kruise.io/v1alpha1/namespaces/${cluster.namespace}/clonesets/${set().metadata.name}`, change);
  return { ...pool, set, edit };
}

test.each<[string, object]>([
  ["annotations", { metadata: { annotations: null } }],
  ["labels and annotations but one", { metadata: { labels: null, annotations: { "berth.dev/term": "1", mine: "x" } } }],
  ["scale strategy", { spec: { scaleStrategy: null } }],
  ["update strategy", { spec: { updateStrategy: null } }],
])("a CloneSet whose %s somebody has taken away is written to as before", (_what, change) =>
  VirtualTime.run(1, async (time) => {
    const { platform, prewarmed, grow, set, edit } = await started(new KruiseCluster(), time);
    edit(change);
    await time.sleep(1000);
    await grow(1);
    await time.reach(() => prewarmed().length === 2, "another one is prewarmed");
    const [one] = prewarmed();
    await platform.remove({ uid: one?.uid ?? "", resourceVersion: one?.resourceVersion ?? "" });
    await time.reach(() => platform.observe().instances.size === 1, "one is removed");
    await time.sleep(30_000);
    expect(set().metadata.annotations?.["berth.dev/term"]).toBe("1");
    expect(set().metadata.labels?.["berth.dev/pool"]).toBe("node");
    expect(set().spec.scaleStrategy?.maxUnavailable).toBe(0);
    await platform.close();
  }),
);

test("a write that the API server refuses for its content is reported as that, and not as a concurrent change", () =>
  VirtualTime.run(2, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, grow } = await started(cluster, time);
    await time.sleep(1000);
    cluster.api.admission.check(({ operation, kind }) => {
      if (operation === "UPDATE" && kind.plural === "clonesets") throw new ApiError(422, "Invalid", "spec.scaleStrategy: no more than 1");
    });
    await expect(grow(1)).rejects.toMatchObject({ code: "REFUSED", message: "spec.scaleStrategy: no more than 1" });
    await platform.close();
  }));

test("a missing map is created only while the CloneSet is unchanged", () => {
  const set = { metadata: metadata("s", { uid: "u", resourceVersion: "7", labels: {} }), spec: {} } as unknown as CloneSet;
  const steps = setPatch(set, [{ op: "add", path: "/spec/scaleStrategy/maxUnavailable", value: 0 }], 3);
  expect(steps.map(({ op, path, value }) => `${op} ${path} ${JSON.stringify(value)}`)).toEqual([
    'test /metadata/resourceVersion "7"',
    "add /metadata/annotations {}",
    "add /spec/scaleStrategy {}",
    "add /spec/scaleStrategy/maxUnavailable 0",
    'add /metadata/annotations/berth.dev~1term "3"',
  ]);
});
