import { expect, test } from "vitest";
import type { Pod } from "../../../../../../pool-manager/platform/kruise/objects/objects.ts";
import { poolResources, resizeOf, resizePending } from "../../../../../../pool-manager/platform/kruise/resources/pod-resources.ts";
import { pod } from "../../../../../helpers/builders/objects.ts";

const MIB = 2 ** 20;
const podWith = (resources?: Pod["spec"]["containers"][number]["resources"], conditions: Pod["status"]["conditions"] = []) => {
  const containers = [
    { name: "sidecar", image: "s" },
    { name: "runtime", image: "r", ...(resources && { resources }) },
  ];
  return pod("p", { metadata: { uid: "u1" }, spec: { containers }, status: { conditions } });
};
const POOL = poolResources("256Mi");
const LARGE = { requests: { cpu: "10m", memory: "576Mi" }, limits: { memory: "576Mi", cpu: "500m" } };

test.each([
  ["no limits, on a pod of the pool", {}, POOL, null],
  ["limits of processes and files alone", { pids: 64, storageBytes: MIB }, POOL, null],
  ["memory and processors: memory is requested in full, with room for the supervisor", { memoryBytes: 512 * MIB, cpuMillis: 500 }, POOL, LARGE],
  ["less memory than the pool's", { memoryBytes: 64 * MIB }, POOL, { requests: { cpu: "10m", memory: "128Mi" }, limits: { memory: "128Mi" } }],
  ["the same limits in the next revision", { memoryBytes: 512 * MIB, cpuMillis: 500 }, LARGE, null],
  ["no limits in the next revision: what the pool has", {}, LARGE, POOL],
  ["processors alone", { cpuMillis: 2000 }, POOL, { requests: POOL.requests, limits: { memory: "256Mi", cpu: "2" } }],
])("a function with %s", (_what, resources, present, wanted) => {
  const patch = resizeOf(podWith(present), resources, POOL);
  if (wanted === null) return expect(patch).toBeNull();
  expect(patch).toEqual([
    { op: "test", path: "/metadata/uid", value: "u1" },
    { op: "test", path: "/spec/containers/1/name", value: "runtime" },
    { op: "test", path: "/spec/containers/1/resources", value: present },
    { op: "replace", path: "/spec/containers/1/resources", value: wanted },
  ]);
});

test("a pod whose runtime container was taken away is left as it is", () => {
  const changed = podWith(POOL);
  changed.spec.containers.pop();
  expect(resizeOf(changed, { memoryBytes: 512 * MIB }, POOL)).toBeNull();
});

test("what the kubelet has not granted is told in its words", () => {
  const pending = { type: "PodResizePending", status: "True", reason: "Deferred", message: "Node didn't have enough resource: memory" };
  expect(resizePending(podWith(POOL, [pending]))).toBe("Deferred: Node didn't have enough resource: memory");
  expect(resizePending(podWith(POOL, [{ ...pending, status: "False" }]))).toBeNull();
  expect(resizePending(podWith(POOL, [{ type: "PodResizeInProgress", status: "True" }]))).toBeNull();
});
