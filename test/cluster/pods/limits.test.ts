import { afterAll, beforeAll, expect, test } from "vitest";
import { podPath } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { until } from "../../helpers/berth.ts";
import { CROWDED } from "../../helpers/limits.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

const TEST_MS = 120_000;

interface Sized {
  metadata: { uid: string; name: string };
  spec: { containers: { name: string; resources?: { requests?: Record<string, string>; limits?: Record<string, string> } }[] };
  status: { containerStatuses?: { name: string; restartCount: number; resources?: { limits?: Record<string, string> } }[] };
}

let cluster: ClusterBerth;
beforeAll(async () => {
  cluster = await ClusterBerth.start({ poolSize: 2 });
}, TEST_MS);
afterAll(() => cluster.finish());

/** The pod of a function's only instance. */
async function podOf(name: string): Promise<Sized> {
  const { uid } = (await cluster.berth.api.get<{ uid: string }>(`/v1/functions/${name}`)) as { uid: string };
  const [instance] = (await cluster.berth.instances()).filter((one) => one.function === name || one.function === uid);
  const { items } = await cluster.view.kube.get<{ items: Sized[] }>(podPath(cluster.view.kube, "").replace(/\/$/, ""));
  const pod = items.find(({ metadata }) => metadata.uid === instance?.uid);
  if (!pod) throw new Error(`${name} has no pod`);
  return pod;
}
const runtimeOf = (pod: Sized) => pod.spec.containers.find(({ name }) => name === "runtime")?.resources;
const keptOf = (pod: Sized) => pod.status.containerStatuses?.find(({ name }) => name === "runtime");
const writesOf = async (purpose: string) => {
  const text = await (await fetch(`${cluster.berth.berth.manageUrl}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`berth_api_writes_total{purpose="${purpose}"}`));
  return Number(line?.split(" ")[1] ?? 0);
};
const call = async (name: string, path: string) => {
  const response = await cluster.berth.invoke(name, {}, path);
  const body = (await response.json()) as { error?: { code: string } };
  return [response.status, body.error?.code ?? null];
};

test("a pod of the pool is resized in place for its function, once, and one of a function without limits is not", { timeout: TEST_MS }, async () => {
  const { berth } = cluster;
  await berth.prewarmed(2);
  await berth.deploy("plain", CROWDED);
  expect((await berth.invoke("plain")).status).toBe(200);
  expect(await writesOf("resize")).toBe(0);
  await berth.deploy("sized", CROWDED, { memory: "512Mi", cpu: "500m" });
  const first = await berth.invoke("sized");
  expect(first.status).toBe(200);
  const limits = { memory: "576Mi", cpu: "500m" };
  await until(async () => runtimeOf(await podOf("sized"))?.limits?.memory === "576Mi", "its pod has what it asks for");
  expect(runtimeOf(await podOf("sized"))).toEqual({ requests: { cpu: "10m", memory: "576Mi" }, limits });
  await until(async () => keptOf(await podOf("sized"))?.resources?.limits?.memory === "576Mi", "the kubelet has given it", 20_000);
  expect(keptOf(await podOf("sized"))).toMatchObject({ restartCount: 0, resources: { limits } });
  expect(runtimeOf(await podOf("plain"))?.limits).toEqual({ memory: "256Mi" });
  expect(await writesOf("resize")).toBe(1);
  expect(await call("sized", "/buffers?mb=300")).toEqual([200, null]);
});

test("a revision with other limits resizes its pod in place, and Kruise leaves that as it is", { timeout: TEST_MS }, async () => {
  const { berth } = cluster;
  await berth.deploy("grows", CROWDED, { memory: "128Mi" });
  expect(await call("grows", "/")).toEqual([200, null]);
  await until(async () => runtimeOf(await podOf("grows"))?.limits?.memory === "192Mi", "the first limit");
  const { metadata } = await podOf("grows");
  await berth.deploy("grows", CROWDED, { memory: "400Mi" });
  await until(async () => runtimeOf(await podOf("grows"))?.limits?.memory === "464Mi", "the second limit", 20_000);
  await until(async () => keptOf(await podOf("grows"))?.resources?.limits?.memory === "464Mi", "the kubelet has given it", 20_000);
  const after = await podOf("grows");
  expect([after.metadata.uid, keptOf(after)?.restartCount]).toEqual([metadata.uid, 0]);
  expect(await call("grows", "/buffers?mb=250")).toEqual([200, null]);
});

test("a function above its memory gets OUT_OF_MEMORY, and another pod takes its place", { timeout: TEST_MS }, async () => {
  const { berth } = cluster;
  await berth.deploy("crowded", CROWDED, { memory: "128Mi" });
  expect(await call("crowded", "/")).toEqual([200, null]);
  const before = (await podOf("crowded")).metadata.uid;
  await until(async () => keptOf(await podOf("crowded"))?.resources?.limits?.memory === "192Mi", "the kubelet has given it", 20_000);
  // Above its own limit and below that of its container, which the kernel would end as a whole.
  expect(await call("crowded", "/buffers?mb=140&hold")).toEqual([502, "OUT_OF_MEMORY"]);
  expect(await call("crowded", "/")).toEqual([200, null]);
  await until(async () => (await podOf("crowded").catch(() => null))?.metadata.uid !== before, "another pod serves it");
});

test("more than any node has is refused when it is deployed", { timeout: TEST_MS }, async () => {
  await expect(cluster.berth.deploy("huge", CROWDED, { memory: "4Ti" })).rejects.toMatchObject({ code: "RESOURCES_UNAVAILABLE" });
});

test("a function that its node has no room for serves with what its pod has, and says so", { timeout: TEST_MS }, async () => {
  const { berth, view } = cluster;
  const { items } = await view.kube.get<{ items: { status: { allocatable: { memory: string } } }[] }>("/api/v1/nodes");
  const largest = Math.max(...items.map(({ status }) => Number.parseInt(status.allocatable.memory, 10)));
  // The node has as much, but not beside the pods that it has already.
  await berth.deploy("roomy", CROWDED, { memory: `${largest - 100 * 1024}Ki` });
  expect(await call("roomy", "/")).toEqual([200, null]);
  const problems = async () => (await berth.api.get<{ problems: string[] }>("/v1/functions/roomy")).problems.join();
  await until(async () => (await problems()).includes("1 instance does not have the resources of the function"), "its problem is known", 20_000);
  expect(await problems()).toMatch(/(Deferred|Infeasible): /);
  expect((await podOf("roomy")).metadata.name).toMatch(/^pool-node-/);
});
