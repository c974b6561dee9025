import { expect, test } from "vitest";
import { poolSet } from "../../../../../../pool-manager/platform/kruise/clonesets/manifests.ts";
import { podRuntimes } from "../../../../../../pool-manager/platform/kruise/pod-runtimes.ts";

interface Container {
  name: string;
  env?: { name: string; value?: string }[];
  resources: { limits: { memory: string } };
  volumeMounts: { name: string; mountPath: string }[];
  securityContext: { readOnlyRootFilesystem: boolean };
}

function containersOf(pool: string): Container[] {
  const runtimes = podRuntimes({ node: "node:1", python: null, idle: "idle:1" });
  const set = poolSet(pool, { runtimes, idleImage: "idle:1", leaderKey: "key", memory: "256Mi", disk: "1Gi", pullSecret: null });
  return (set as { spec: { template: { spec: { containers: Container[] } } } }).spec.template.spec.containers;
}

test("the program of an image has the memory of an instance and a directory of its own in pods of commands, and in no others", () => {
  const [runtime, code] = containersOf("custom");
  expect(code?.resources.limits.memory).toBe("256Mi");
  expect(code?.volumeMounts).toEqual([
    { name: "berth", mountPath: "/berth" },
    { name: "files", mountPath: "/tmp" },
  ]);
  expect(runtime?.volumeMounts).toEqual([{ name: "berth", mountPath: "/berth" }]);
  expect(runtime?.env?.find(({ name }) => name === "BERTH_WORKER")?.value).toContain('"BERTH_COMMAND_SOCKET":"/berth/command"');
  const [, idle] = containersOf("node");
  expect([idle?.resources.limits.memory, idle?.volumeMounts, code?.securityContext.readOnlyRootFilesystem]).toEqual([
    "64Mi",
    [{ name: "berth", mountPath: "/berth" }],
    true,
  ]);
});
