import { expect, test } from "vitest";
import { excessOf } from "../../../../../../pool-manager/functions/manifest/resources.ts";
import { KubeError } from "../../../../../../pool-manager/kubernetes/error.ts";
import type { Pod } from "../../../../../../pool-manager/platform/kruise/objects/objects.ts";
import { classResources, poolResources } from "../../../../../../pool-manager/platform/kruise/resources/pod-resources.ts";
import { memoryInWords, resizeSupport } from "../../../../../../pool-manager/platform/kruise/resources/resize-support.ts";
import { Resizes } from "../../../../../../pool-manager/platform/kruise/resources/resizes.ts";
import { pod } from "../../../../../helpers/builders/objects.ts";

const GIB = 2 ** 30;
const POOLS = new Map([
  ["node", poolResources("256Mi")],
  ["node-2gi", classResources(2 * GIB)],
]);
const MEMORY = { memoryBytes: 512 * 2 ** 20 };
const podOf = (uid = "u1", memory = "256Mi", conditions: Pod["status"]["conditions"] = []) =>
  pod("p", { metadata: { uid }, spec: { containers: [{ name: "runtime", image: "r", resources: poolResources(memory) }] }, status: { conditions } });

/** An API server that answers each patch with the next of `answers`; `found`: the pod as it reads it then. */
function tried({ answers = [], found = podOf(), isSupported = true }: { answers?: (KubeError | Pod)[]; found?: Pod; isSupported?: boolean }) {
  const seen = { patches: [] as string[], limits: [] as unknown[], troubles: [] as (string | null)[], learned: 0, found: 0 };
  const resizes = new Resizes({
    kube: {
      namespace: "n",
      get: async <T>() => found as T,
      patch: async <T>(path: string, _type: string, body: unknown) => {
        seen.patches.push(path);
        seen.limits.push((body as { value: { limits?: { memory: string } } }[]).at(-1)?.value.limits?.memory);
        const answer = answers.shift() ?? podOf();
        if (answer instanceof Error) throw answer;
        return answer as T;
      },
    },
    pods: { learn: () => (seen.learned += 1), found: () => (seen.found += 1) },
    resourcesOf: (pool) => POOLS.get(pool),
    isSupported,
    onTrouble: (_step, message) => seen.troubles.push(message),
  });
  return { resizes, seen };
}

const PATH = "/api/v1/namespaces/n/pods/p/resize";
const changed = () => new KubeError(422, "Invalid", "the server rejected our request due to an error in our request");

test("a pod is resized by one write, and one that needs no change by none", async () => {
  const { resizes, seen } = tried({});
  await resizes.resize(podOf(), "node", MEMORY);
  await resizes.resize(podOf(), "node", {});
  await resizes.resize(podOf(), "node");
  expect(seen).toMatchObject({ patches: [PATH], troubles: [], learned: 1, found: 0 });
});

test("a pod of a size class gets exactly the memory of its function, and one of a pool that is not offered any more is left alone", async () => {
  const { resizes, seen } = tried({});
  const inClass = pod("p", { spec: { containers: [{ name: "runtime", image: "r", resources: classResources(2 * GIB) }] } });
  await resizes.resize(inClass, "node-2gi", { memoryBytes: 2 * GIB });
  await resizes.resize(inClass, "node-2gi", { memoryBytes: GIB });
  await resizes.resize(inClass, "node-4gi", { memoryBytes: GIB });
  expect(seen.limits).toEqual(["1088Mi"]);
});

test("a cluster that does not resize pods is not asked to", async () => {
  const { resizes, seen } = tried({ isSupported: false });
  await resizes.resize(podOf(), "node", MEMORY);
  expect(seen.patches).toEqual([]);
});

test("a pod that has changed is read, and tried again as it is now", async () => {
  const { resizes, seen } = tried({ answers: [changed(), podOf()] });
  await resizes.resize(podOf(), "node", MEMORY);
  expect(seen).toMatchObject({ patches: [PATH, PATH], troubles: [], learned: 1, found: 1 });
});

test("another pod of the same name is left alone", async () => {
  const { resizes, seen } = tried({ answers: [changed()], found: podOf("u2") });
  await resizes.resize(podOf(), "node", MEMORY);
  expect(seen).toMatchObject({ patches: [PATH], troubles: [], learned: 0, found: 0 });
});

test("a refusal is told once, with the pod, and its end too", async () => {
  const denied = () => new KubeError(403, "Forbidden", "exceeded quota: memory");
  const { resizes, seen } = tried({ answers: [denied(), denied()] });
  await resizes.resize(podOf(), "node", MEMORY);
  await resizes.resize(podOf(), "node", MEMORY);
  expect(seen.troubles).toEqual(["p: exceeded quota: memory"]);
  resizes.forget("u1");
  expect(seen.troubles).toEqual(["p: exceeded quota: memory", null]);
});

test("it gives up on a pod that changes with each look", async () => {
  const { resizes, seen } = tried({ answers: Array.from({ length: 9 }, changed) });
  await resizes.resize(podOf(), "node", MEMORY);
  expect([seen.patches.length, seen.troubles.length]).toEqual([4, 1]);
});

test("what a kubelet cannot grant is told until it can", () => {
  const { resizes, seen } = tried({});
  resizes.observe(podOf("u1", "576Mi", [{ type: "PodResizePending", status: "True", reason: "Infeasible", message: "Node didn't have enough capacity" }]));
  resizes.observe(podOf("u2"));
  resizes.observe(podOf("u1", "576Mi"));
  expect(seen.troubles).toEqual(["p: Infeasible: Node didn't have enough capacity", null]);
});

const NODES = { items: [{ status: { allocatable: { cpu: "2", memory: "4Gi" } } }, { status: { allocatable: { cpu: "1930m", memory: "8Gi" } } }, {}] };

test.each([
  [
    "Kubernetes 1.33",
    { "/api/v1": { resources: [{ name: "pods" }, { name: "pods/resize" }] }, "/api/v1/nodes": NODES },
    true,
    { memoryBytes: 8 * 2 ** 30 - 2 ** 26, cpuMillis: 2000 },
  ],
  ["nodes that may not be listed", { "/api/v1": { resources: [{ name: "pods/resize" }] } }, true, null],
  ["Kubernetes 1.32", { "/api/v1": { resources: [{ name: "pods" }] } }, false, { memoryBytes: 192 * 2 ** 20, of: "the pool's pods" }],
  ["an API server that does not say", {}, false, { memoryBytes: 192 * 2 ** 20 }],
  ["a user who may not resize", { "/api/v1": { resources: [{ name: "pods/resize" }] }, isDenied: true }, false, { memoryBytes: 192 * 2 ** 20 }],
])("%s", async (_what, answers: Record<string, unknown>, isSupported, bounds) => {
  const get = async <T>(path: string) => {
    if (!(path in answers)) throw new KubeError(403, "Forbidden", "no");
    return answers[path] as T;
  };
  const create = async <T>() => ({ status: { allowed: !answers.isDenied } }) as T;
  const support = await resizeSupport({ namespace: "berth", get, create }, "256Mi");
  expect(support.isSupported).toBe(isSupported);
  if (bounds) expect(support.bounds).toMatchObject(bounds);
  else expect(support.bounds).toBeNull();
  expect(support.summary).toContain(isSupported ? "resized in place" : "not resized");
});

test("without resizing, functions have what the largest size class holds, and the refusal of more names the option", async () => {
  const kube = { namespace: "berth", get: async <T>() => ({ resources: [] }) as T, create: async <T>() => ({}) as T };
  const { bounds, summary } = await resizeSupport(kube, "256Mi", [GIB, 2 * GIB]);
  expect(bounds).toMatchObject({ memoryBytes: 2 * GIB, of: "the largest size class" });
  expect(summary).toContain("size classes 1Gi, 2Gi: memory up to 2Gi");
  const excess = excessOf({ memoryBytes: 3 * GIB }, bounds);
  expect(excess?.message).toMatch(/^memory: 3Gi is more than the 2Gi of the largest size class; declare a class that holds it with --size-classes, or /);
});

test.each<[string, string[], number[], string]>([
  [
    "pods are not resized and there are classes",
    [],
    [GIB],
    "pods are not resized (Kubernetes before 1.33); instances of each runtime's pool hold functions of up to 192Mi; larger ones have pools of the size classes 1Gi",
  ],
  [
    "pods are resized and there are none",
    ["pods/resize"],
    [],
    "pods are resized in place; instances of each runtime's pool hold functions of up to 192Mi; no size classes are declared",
  ],
])("doctor says that %s", async (_what, resources, sizes, words) => {
  const get = async <T>() => ({ resources: resources.map((name) => ({ name })) }) as T;
  const create = async <T>() => ({ status: { allowed: true } }) as T;
  expect(await memoryInWords({ namespace: "berth", get, create }, "256Mi", sizes)).toBe(words);
});

test.each([
  ["does not answer", "/api/v1", new KubeError(0, "Unreachable", "connection refused")],
  ["is overloaded", "/api/v1", new KubeError(429, "TooManyRequests", "later")],
  ["does not list its nodes now", "/api/v1/nodes", new KubeError(503, "ServiceUnavailable", "later")],
])("an API server that %s is not taken for one that cannot resize: the caller asks again", async (_what, failing, error) => {
  const get = async <T>(path: string) => {
    if (path === failing) throw error;
    return { resources: [{ name: "pods/resize" }] } as T;
  };
  const create = async <T>() => ({ status: { allowed: true } }) as T;
  await expect(resizeSupport({ namespace: "berth", get, create }, "256Mi")).rejects.toThrow(error);
});
