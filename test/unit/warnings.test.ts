import { describe, expect, test } from "vitest";
import { lastWarning } from "../../pool-manager/platform/kruise/warnings.ts";

const pod = { metadata: { uid: "pod-1", name: "pool-node-a1", resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z" } };

interface Warning {
  reason: string;
  message: string;
  agoMs: number;
}

/** Kubernetes with these warnings of the pod; times of Events are whole seconds. */
function withWarnings(...warnings: Warning[]) {
  const items = warnings.map(({ reason, message, agoMs }) => {
    const lastTimestamp = `${new Date(Date.now() - agoMs).toISOString().slice(0, 19)}Z`;
    return { type: "Warning", reason, message, lastTimestamp, metadata: { creationTimestamp: lastTimestamp } };
  });
  return { namespace: "test", get: async <T>() => ({ items }) as T };
}

const dns = { reason: "MissingClusterDNS", message: "kubelet does not have ClusterDNS IP configured" };
const sandbox = { reason: "FailedCreatePodSandBox", message: "open /dev/null: is a directory" };

describe("the warning that is told of a pod that does not start", () => {
  test("is the failure, where the kubelet complains of something else each time that it tries", async () => {
    expect(await lastWarning(withWarnings({ ...sandbox, agoMs: 9000 }, { ...dns, agoMs: 1000 }), pod)).toBe(sandbox.message);
    expect(await lastWarning(withWarnings({ ...dns, agoMs: 9000 }, { ...sandbox, agoMs: 9000 }), pod)).toBe(sandbox.message);
  });

  test("is the latest failure of several", async () => {
    const mount = { reason: "FailedMount", message: "secret is missing" };
    expect(await lastWarning(withWarnings({ ...mount, agoMs: 5000 }, { ...sandbox, agoMs: 9000 }), pod)).toBe(mount.message);
    const backOff = { reason: "BackOff", message: "Back-off pulling image" };
    expect(await lastWarning(withWarnings({ ...sandbox, agoMs: 9000 }, { ...backOff, agoMs: 2000 }), pod)).toBe(backOff.message);
  });

  test("is a complaint where there is no failure lately", async () => {
    expect(await lastWarning(withWarnings({ ...sandbox, agoMs: 90_000 }, { ...dns, agoMs: 1000 }), pod)).toBe(dns.message);
  });

  test("is not a deletion that failed, where something failed to be made", async () => {
    const deletion = { reason: "FailedDelete", message: "denied by a budget" };
    const creation = { reason: "FailedCreate", message: "exceeded quota" };
    expect(await lastWarning(withWarnings({ ...creation, agoMs: 9000 }, { ...deletion, agoMs: 1000 }), pod)).toBe(creation.message);
  });

  test("is none where all are old, or Events cannot be read", async () => {
    expect(await lastWarning(withWarnings({ ...sandbox, agoMs: 90_000 }), pod)).toBeNull();
    expect(await lastWarning({ namespace: "test", get: () => Promise.reject(new Error("403")) }, pod)).toBeNull();
  });
});
