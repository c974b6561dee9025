import { expect, test } from "vitest";
import type { CloneSet, Pod } from "../../../../../../pool-manager/platform/kruise/objects/objects.ts";
import { startedPlatform } from "../../../../../kubernetes/berth/started-platform.ts";
import { KruiseCluster } from "../../../../../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

const outcome = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: { code?: string }) => error.code ?? String(error),
  );

/**
 * Kruise deletes a pod that a CloneSet names by what its cache shows, and waits for that pod's end in this CloneSet. If the
 * pod has moved to another one meanwhile, it waits forever, and the CloneSet is never scaled again.
 */
test.each([
  ["asked first, and its write takes long", "remove", { method: "PATCH", path: /\/clonesets\/pool-/ }],
  ["asked while the pod is being moved", "bind", { method: "PATCH", path: /\/pods\/[^/]+$/ }],
] as const)("no CloneSet is asked to delete a pod that is moved out of it: a removal %s", (_what, first, where) =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, code, prewarmed, fill } = await startedPlatform(cluster);
    platform.prepareCode([code.add("f1")]);
    await fill(time, 2);
    const { uid = "", resourceVersion = "" } = prewarmed()[0] ?? {};
    const astray: string[] = [];
    const changed = () => {
      for (const set of cluster.store.list("apps.kruise.io/clonesets") as unknown as CloneSet[]) {
        for (const name of set.spec.scaleStrategy?.podsToDelete ?? []) {
          const pod = (cluster.store.list("/pods") as unknown as Pod[]).find(({ metadata }) => metadata.name === name);
          if (pod && pod.metadata.ownerReferences?.[0]?.uid !== set.metadata.uid) astray.push(`${set.metadata.name} is asked to delete ${name}`);
        }
      }
    };
    cluster.store.listen({ changed, restored: () => {} });
    cluster.faults.add(where, { kind: "slow", ms: 2000 });
    const bind = () => outcome(platform.bind({ uid, resourceVersion }, { functionUid: "f1", revision: "r1" }));
    const remove = () => outcome(platform.remove({ uid, resourceVersion }));
    const acts = first === "remove" ? [remove(), bind()] : [bind(), time.sleep(1000).then(remove)];
    const outcomes = await Promise.all(acts);
    await time.sleep(5000);
    expect(astray).toEqual([]);
    expect(outcomes).toEqual(["done", "CONFLICT"]);
    await platform.close();
  }),
);
