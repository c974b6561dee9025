import { afterEach, expect, test } from "vitest";
import { LABEL, type Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { sleep, until } from "../../helpers/berth.ts";
import { SteadyLoad } from "../load/steady-load.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

let cluster: ClusterBerth;
afterEach(() => cluster.finish());

const imageOf = (pod: Pod | undefined, container: string) => pod?.spec.containers.find(({ name }) => name === container)?.image ?? "";

test("another version of the runtime replaces free pods first and then functions', under load without a failed invocation", async () => {
  cluster = await ClusterBerth.start({ poolSize: 2 });
  await cluster.berth.deploy("kept", "export default { fetch: () => new Response('kept') };", { minScale: 2, concurrency: 10, idleTimeout: "2s" });
  await until(async () => (await cluster.view.functionPods()).length === 2, "two pods are the function's", 5000);
  await cluster.berth.prewarmed(2);
  const before = await cluster.view.instancePods();
  const free = before.find(({ metadata }) => !metadata.labels?.[LABEL.function]);
  // The same image by another reference: to Kubernetes, and to us, another version.
  const [runtimeImage, idleImage] = [imageOf(free, "runtime").replace(/(:[^:@/]+)?@/, ":next@"), imageOf(free, "code")];
  const { stateDir } = cluster;
  await cluster.berth.close();
  cluster = await cluster.again({ poolSize: 2, runtimeImage, idleImage }, stateDir);
  const invoking = new SteadyLoad(cluster.berth.berth.invokeUrl, "kept");
  const least = { warm: 99 };
  let seen: string[] = [];
  await until(
    async () => {
      least.warm = Math.min(least.warm, (await cluster.allWarm("kept")).length);
      const pods = await cluster.view.instancePods();
      seen = pods.map((pod) => `${pod.metadata.name} ${pod.status.phase} ${imageOf(pod, "runtime") === runtimeImage ? "new" : "former"}`);
      return pods.length === 4 && pods.every((pod) => imageOf(pod, "runtime") === runtimeImage);
    },
    "all pods have the new version",
    9000,
  ).catch(async (error: Error) => {
    const rows = (await cluster.berth.instances()).map(({ uid, state, function: of }) => `${uid} ${state} of ${of}`);
    throw new Error([error.message, ...seen, ...rows, JSON.stringify(await cluster.berth.api.get("/v1/pools/node"))].join("\n"));
  });
  expect(await invoking.end()).toEqual([]);
  expect(least.warm).toBe(2);
  const uids = before.map(({ metadata }) => metadata.uid);
  expect((await cluster.view.instancePods()).filter(({ metadata }) => uids.includes(metadata.uid))).toEqual([]);
  await until(
    async () => (await cluster.view.sets()).filter(({ metadata }) => !metadata.labels?.[LABEL.function]).length === 1,
    "the former pool is gone",
    3000,
  );
}, 180_000);

test("instances of a cordoned node stay where there is no other node: nothing goes before another one serves", async () => {
  cluster = await ClusterBerth.start({ poolSize: 1 });
  await cluster.berth.deploy("kept", "export default { fetch: () => new Response('kept') };", { minScale: 1 });
  await until(async () => (await cluster.view.functionPods()).length === 1, "a pod is the function's", 5000);
  await cluster.berth.prewarmed(1);
  const before = (await cluster.view.instancePods()).map(({ metadata }) => metadata.uid);
  const bound = (await cluster.view.functionPods()).map(({ metadata }) => metadata.uid);
  const { nodeName } = ((await cluster.view.instancePods())[0] as Pod).spec;
  const cordon = (unschedulable: boolean) => cluster.view.kube.patch(`/api/v1/nodes/${nodeName}`, "merge", { spec: { unschedulable } });
  const now = async () => (await cluster.view.instancePods()).filter(({ metadata }) => before.includes(metadata.uid)).length;
  try {
    await cordon(true);
    await until(async () => (await cluster.view.instancePods()).some(({ status }) => status.phase === "Pending"), "another one is asked for", 3000);
    const invoking = new SteadyLoad(cluster.berth.berth.invokeUrl, "kept");
    await sleep(5000);
    expect(await invoking.end()).toEqual([]);
    expect(await now()).toBe(2);
  } finally {
    await cordon(false);
  }
  // One of the two free ones, whichever.
  await until(async () => (await cluster.view.instancePods()).length === 2, "what is too many has gone", 6000);
  expect((await cluster.view.functionPods()).map(({ metadata }) => metadata.uid)).toEqual(bound);
}, 180_000);
