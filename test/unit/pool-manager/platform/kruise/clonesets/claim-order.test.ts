import { expect, test } from "vitest";
import { ApiError } from "../../../../../kubernetes/api/api-error.ts";
import { startedPlatform } from "../../../../../kubernetes/berth/started-platform.ts";
import { KruiseCluster } from "../../../../../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

test("a pod is moved into a function's CloneSet only when Kruise has seen that there is room for it, however late that is", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, code, prewarmed, fill } = await startedPlatform(cluster);
    platform.prepareCode([code.add("f1")]);
    await fill(time, 1);
    const { uid = "" } = prewarmed()[0] ?? {};
    cluster.kruise.setsLagMs = 700;
    const { resourceVersion = "" } = platform.observe().instances.get(uid) ?? {};
    await platform.bind({ uid, resourceVersion }, { functionUid: "f1", revision: "r1" });
    await time.sleep(5000);
    expect(cluster.store.list("/pods").map(({ metadata }) => [metadata.uid, metadata.deletionTimestamp])).toEqual([[uid, undefined]]);
    await platform.close();
  }));

test("a claim that fails because a webhook does not answer lowers the replicas that it raised", () =>
  VirtualTime.run(1, async (time) => {
    const cluster = new KruiseCluster();
    const { platform, code, prewarmed, fill } = await startedPlatform(cluster);
    platform.prepareCode([code.add("f1")]);
    await fill(time, 3);
    const message = 'Internal error occurred: failed calling webhook "pods.example.com": no endpoints available for service "hook"';
    cluster.faults.add({ method: "PATCH", path: /\/pods\/[^/]+$/ }, { kind: "refuse", error: new ApiError(500, "InternalError", message) });
    const replicas = () => cluster.store.list("apps.kruise.io/clonesets").find(({ metadata }) => metadata.name.startsWith("fn-"))?.spec as { replicas: number };
    // More often than a quiet set is corrected, as instances of one function come whose binds are tried in turn.
    for (let tries = 0; tries < 20; tries++) {
      const { uid = "", resourceVersion = "" } = prewarmed()[tries % 3] ?? {};
      await expect(platform.bind({ uid, resourceVersion }, { functionUid: "f1", revision: "r1" })).rejects.toThrow("failed calling webhook");
      await time.sleep(5000);
    }
    expect(replicas().replicas).toBe(0);
    await platform.close();
  }));
