import { expect, test } from "vitest";
import { unprotect } from "../../../../../../pool-manager/platform/kruise/disruption/unprotect.ts";
import { newCloneSet } from "../../../../../helpers/builders/objects.ts";
import { ApiError } from "../../../../../kubernetes/api/api-error.ts";
import { WarmFunction } from "../../../../../kubernetes/berth/warm-function.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

const PROTECTION = "policy.kruise.io/delete-protection";

/** The pool manager has ended: labels are not restored. */
function abandoned(seed: number, body: (world: WarmFunction) => Promise<void>): Promise<void> {
  return VirtualTime.run(seed, async (time) => {
    const world = await WarmFunction.start(time, 1);
    await world.manager.stop();
    await body(world);
  });
}

const isProtected = (world: WarmFunction, prefix: "fn-" | "pool-") => world.set(prefix)?.metadata.labels?.[PROTECTION] !== undefined;

test("a CloneSet that has lost its labels loses its protection too, and a foreign one keeps it", () =>
  abandoned(1, async (world) => {
    const { cluster } = world;
    world.edit("pool-", { metadata: { labels: { "berth.dev/pool": null } } });
    const labels = { "berth.dev/pool": "node", [PROTECTION]: "Always" };
    const foreign = newCloneSet("shop", { metadata: { labels }, spec: { replicas: 1 } });
    cluster.make(`/apis/apps.kruise.io/v1alpha1/namespaces/${cluster.namespace}/clonesets`, foreign);
    expect(await unprotect(cluster.connect("admin"))).toHaveLength(2);
    const shop = cluster.store.list("apps.kruise.io/clonesets").find(({ metadata }) => metadata.name === "shop");
    expect([isProtected(world, "pool-"), isProtected(world, "fn-"), shop?.metadata.labels?.[PROTECTION]]).toEqual([false, false, "Always"]);
  }));

test("one that is gone meanwhile, or cannot be changed, delays no other", () =>
  abandoned(2, async (world) => {
    const kube = world.cluster.connect("admin");
    const refuse = (status: number) =>
      world.cluster.faults.add({ method: "PATCH", path: /clonesets\/fn-/ }, { kind: "refuse", error: new ApiError(status, "Refused", `status ${status}`) });
    const undo = refuse(404);
    expect(await unprotect(kube)).toEqual([world.set("pool-")?.metadata.name]);
    undo();
    world.edit("pool-", { metadata: { labels: { [PROTECTION]: "Cascading" } } });
    refuse(403);
    await expect(unprotect(kube)).rejects.toMatchObject({ status: 403 });
    expect(isProtected(world, "pool-")).toBe(false);
  }));
