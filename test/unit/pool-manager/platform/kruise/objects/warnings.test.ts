import { describe, expect, test } from "vitest";
import { KubeClient } from "../../../../../../pool-manager/kubernetes/client.ts";
import { lastWarning } from "../../../../../../pool-manager/platform/kruise/objects/warnings.ts";
import { metadata } from "../../../../../helpers/builders/objects.ts";
import { startedPlatform } from "../../../../../kubernetes/berth/started-platform.ts";
import { KruiseCluster } from "../../../../../kubernetes/kruise-cluster.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

const pod = { metadata: metadata("pool-node-a1") };

interface Warning {
  reason: string;
  message: string;
  agoMs: number;
}

const NOW = Date.parse("2026-01-01T12:00:00Z");
const at = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
const kubernetes = (items: object[], serverTime = NOW) => ({ namespace: "test", get: async <T>() => ({ items }) as T, serverTime: () => serverTime });

/** Kubernetes with these warnings of the pod; times of Events are whole seconds. */
function withWarnings(...warnings: Warning[]) {
  const items = warnings.map(({ reason, message, agoMs }) => {
    const lastTimestamp = at(NOW - agoMs);
    return { type: "Warning", reason, message, lastTimestamp, metadata: { creationTimestamp: lastTimestamp } };
  });
  return kubernetes(items);
}

const complaint = { reason: "VolumeResizeFailed", message: "the volume is busy" };
const dns = { reason: "MissingClusterDNS", message: "kubelet does not have ClusterDNS IP configured" };
const sandbox = { reason: "FailedCreatePodSandBox", message: "open /dev/null: is a directory" };

describe("the warning that is reported for a pod that does not start", () => {
  test("is the failure, if the kubelet complains of something else at each try", async () => {
    expect(await lastWarning(withWarnings({ ...sandbox, agoMs: 9000 }, { ...complaint, agoMs: 1000 }), pod)).toBe(sandbox.message);
    expect(await lastWarning(withWarnings({ ...complaint, agoMs: 9000 }, { ...sandbox, agoMs: 9000 }), pod)).toBe(sandbox.message);
  });

  test("is the latest failure of several", async () => {
    const mount = { reason: "FailedMount", message: "secret is missing" };
    expect(await lastWarning(withWarnings({ ...mount, agoMs: 5000 }, { ...sandbox, agoMs: 9000 }), pod)).toBe(mount.message);
    const backOff = { reason: "BackOff", message: "Back-off pulling image" };
    expect(await lastWarning(withWarnings({ ...sandbox, agoMs: 9000 }, { ...backOff, agoMs: 2000 }), pod)).toBe(backOff.message);
  });

  test("is a complaint if there is no recent failure", async () => {
    expect(await lastWarning(withWarnings({ ...sandbox, agoMs: 90_000 }, { ...complaint, agoMs: 1000 }), pod)).toBe(complaint.message);
  });

  test.each([dns, { reason: "DNSConfigForming", message: "Nameserver limits were exceeded" }])("is not $reason, with which pods start", async (remark) => {
    expect(await lastWarning(withWarnings({ ...remark, agoMs: 1000 }), pod)).toBeNull();
    expect(await lastWarning(withWarnings({ ...complaint, agoMs: 9000 }, { ...remark, agoMs: 1000 }), pod)).toBe(complaint.message);
  });

  test("is not a failed deletion, if a creation failed", async () => {
    const deletion = { reason: "FailedDelete", message: "denied by a budget" };
    const creation = { reason: "FailedCreate", message: "exceeded quota" };
    expect(await lastWarning(withWarnings({ ...creation, agoMs: 9000 }, { ...deletion, agoMs: 1000 }), pod)).toBe(creation.message);
  });

  test("is none if all are old, or if Events cannot be read", async () => {
    expect(await lastWarning(withWarnings({ ...sandbox, agoMs: 90_000 }), pod)).toBeNull();
    expect(await lastWarning({ ...kubernetes([]), get: () => Promise.reject(new Error("403")) }, pod)).toBeNull();
  });
});

describe("the age of a warning does not depend on clocks", () => {
  const MINUTES = 60_000;
  /** An Event whose writer's clock is `aheadMs` ahead of the API server's; made so long ago, and repeated last so long ago. */
  const event = (aheadMs: number, madeMs: number, repeatedMs: number) => ({
    ...sandbox,
    firstTimestamp: at(NOW - madeMs + aheadMs),
    lastTimestamp: at(NOW - repeatedMs + aheadMs),
    metadata: { creationTimestamp: at(NOW - madeMs) },
  });
  const series = (aheadMs: number, madeMs: number, repeatedMs: number) => {
    const { firstTimestamp, lastTimestamp, ...rest } = event(aheadMs, madeMs, repeatedMs);
    const micro = (time: string) => time.replace("Z", ".000000Z");
    return { ...rest, firstTimestamp: null, lastTimestamp: null, eventTime: micro(firstTimestamp), series: { lastObservedTime: micro(lastTimestamp) } };
  };

  test.each([
    ["a fresh one", 5000, 5000, true],
    ["one that was repeated lately", 30 * MINUTES, 5000, true],
    ["an old one", 30 * MINUTES, 2 * MINUTES, false],
  ])("%s", async (_what, madeMs, repeatedMs, isTold) => {
    for (const aheadMs of [0, 10 * MINUTES, -10 * MINUTES])
      for (const made of [event, series])
        expect([aheadMs, await lastWarning(kubernetes([made(aheadMs, madeMs, repeatedMs)]), pod)]).toEqual([aheadMs, isTold ? sandbox.message : null]);
  });

  test("the age of an Event without times of its own is counted from its creation", async () => {
    const bare = (agoMs: number) => kubernetes([{ ...sandbox, metadata: { creationTimestamp: at(NOW - agoMs) } }]);
    expect([await lastWarning(bare(5000), pod), await lastWarning(bare(2 * MINUTES), pod)]).toEqual([sandbox.message, null]);
  });
});

describe("a pool manager whose clock is not the API server's", () => {
  test.each([-600_000, 0, 600_000])("knows the age of pods that it finds: the API server is %d ms ahead", (aheadMs) =>
    VirtualTime.run(1, async (time) => {
      const cluster = new KruiseCluster();
      cluster.aheadMs = aheadMs;
      const former = await startedPlatform(cluster);
      await former.fill(time, 1);
      await former.platform.close();
      const { platform, instances } = await startedPlatform(cluster);
      const [age] = instances().map(({ createdAt }) => performance.now() - createdAt);
      // Times from the API server are whole seconds.
      expect(age).toBeGreaterThan(0);
      expect(age).toBeLessThan(10_000);
      await platform.close();
    }),
  );

  test("uses its own clock until the API server has sent its time", () => {
    const kube = KubeClient.over({ send: () => Promise.reject(new Error()), stream: () => () => {}, close: () => {} }, "test");
    expect(Math.abs(kube.serverTime() - Date.now())).toBeLessThan(1000);
  });
});
