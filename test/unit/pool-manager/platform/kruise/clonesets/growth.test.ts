import { expect, test } from "vitest";
import { startedPlatform } from "../../../../../kubernetes/berth/started-platform.ts";
import { KruiseCluster } from "../../../../../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

// I19
test("a pool that grows while Kruise has not deleted a pod yet gets no more pods than it requests", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, prewarmed, grow, fill } = await startedPlatform(cluster);
    await fill(time, 3);
    cluster.kubelet.frozen = true;
    await grow(1);
    await time.reach(() => cluster.store.list("/pods").length === 4, "a fourth is on its way");
    cluster.kruise.setsLagMs = 700;
    const [first] = prewarmed();
    const pod = cluster.store.list("/pods").find(({ metadata }) => metadata.uid === first?.uid);
    const conditions = [{ type: "Ready", status: "False" }];
    cluster.at("PATCH", `/api/v1/namespaces/${cluster.namespace}/pods/${pod?.metadata.name}/status`, { status: { conditions } });
    await time.sleep(50);
    await platform.remove({ uid: first?.uid ?? "", resourceVersion: prewarmed()[0]?.resourceVersion ?? "" });
    await grow(1);
    cluster.kubelet.frozen = false;
    await time.sleep(5000);
    expect(prewarmed()).toHaveLength(4);
    await platform.close();
  }));

/** A pool manager that ended while it created pods leaves this state; an edit by hand does too. */
const OPEN = { spec: { scaleStrategy: { maxUnavailable: 3 } } };

test.for(["pool-", "fn-"])("a pod that is claimed brings no further one, though Kruise may create pods in the CloneSet %s…", (prefix) =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, code, prewarmed, fill } = await startedPlatform(cluster);
    platform.prepareCode([code.add("f1")]);
    await fill(time, 3);
    const sets = cluster.store.list("apps.kruise.io/clonesets").map(({ metadata }) => metadata.name);
    const name = sets.find((one) => one.startsWith(prefix));
    cluster.at("PATCH", `/apis/apps.kruise.io/v1alpha1/namespaces/${cluster.namespace}/clonesets/${name}`, OPEN);
    await time.sleep(50);
    let most = 0;
    const changed = () => {
      most = Math.max(most, cluster.store.list("/pods").length);
    };
    cluster.store.listen({ changed, restored: () => {} });
    cluster.kruise.setsLagMs = 200;
    await Promise.all(prewarmed().map(({ uid, resourceVersion }) => platform.bind({ uid, resourceVersion }, { functionUid: "f1", revision: "r1" })));
    await time.sleep(20_000);
    expect(most).toBe(3);
    await platform.close();
  }),
);
