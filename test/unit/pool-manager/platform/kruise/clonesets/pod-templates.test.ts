import { expect, test } from "vitest";
import { SizeClasses } from "../../../../../../pool-manager/functions/manifest/size-classes.ts";
import { poolSet } from "../../../../../../pool-manager/platform/kruise/clonesets/manifests.ts";
import { podPools, podRuntimes } from "../../../../../../pool-manager/platform/kruise/pod-runtimes.ts";

interface Container {
  name: string;
  env?: { name: string; value?: string }[];
  resources: { requests: { memory: string }; limits: { memory: string } };
  volumeMounts: { name: string; mountPath: string }[];
  securityContext: { readOnlyRootFilesystem: boolean };
}

function containersOf(pool: string): Container[] {
  const runtimes = podRuntimes({ node: "node:1", python: null, idle: "idle:1" });
  const pools = podPools(runtimes, "256Mi", new SizeClasses(192 * 2 ** 20, [2 ** 31]));
  const set = poolSet(pool, { pools, idleImage: "idle:1", leaderKey: "key", disk: "1Gi", pullSecret: null });
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

test("pods of a size class request its whole memory, with room for the supervisor, and give it to the program of an image too", () => {
  const [runtime, code] = containersOf("custom-2gi");
  expect(runtime?.resources).toEqual({ requests: { cpu: "10m", memory: "2112Mi" }, limits: { memory: "2112Mi" } });
  expect(code?.resources.limits.memory).toBe("2112Mi");
  expect(containersOf("node-2gi")[1]?.resources.limits.memory).toBe("64Mi");
});
