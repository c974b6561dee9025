import { expect, test } from "vitest";
import { KruiseCluster } from "../kubernetes/kruise-cluster.ts";
import { startedPlatform } from "../kubernetes/started-platform.ts";
import { VirtualTime } from "../kubernetes/virtual-time.ts";

test("a pod is moved into a function's CloneSet only when Kruise has seen that there is room for it, however late that is", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, code, prewarmed, grow } = await startedPlatform(cluster);
    platform.prepareCode([code.add("f1")]);
    await grow(1);
    await time.reach(() => prewarmed().length === 1, "one is prewarmed");
    const { uid = "" } = prewarmed()[0] ?? {};
    cluster.kruise.setsLagMs = 700;
    const { resourceVersion = "" } = platform.observe().instances.get(uid) ?? {};
    await platform.bind({ uid, resourceVersion }, { functionUid: "f1", revision: "r1" });
    await time.sleep(5000);
    expect(cluster.store.list("/pods").map(({ metadata }) => [metadata.uid, metadata.deletionTimestamp])).toEqual([[uid, undefined]]);
    await platform.close();
  }));
