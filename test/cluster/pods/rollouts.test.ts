import { afterEach, describe, expect, test } from "vitest";
import type { UpOptions } from "../../../cli/up.ts";
import { ANNOTATION, type CloneSet, LABEL } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { RESOURCES } from "../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import type { FunctionResource } from "../../../pool-manager/stores/kubernetes/function-resource.ts";
import { sleep, until } from "../../helpers/berth.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

let cluster: ClusterBerth;
afterEach(() => cluster.finish());

const says = (text: string) => `export default { fetch: () => new Response("${text}") };`;
const path = (name: string) => `${RESOURCES}/namespaces/${cluster.namespace}/functions/${name}`;

/** Applies as `kubectl apply --server-side` does. */
function apply(name: string, text: string, spec: object): Promise<unknown> {
  const code = { files: { "index.mjs": says(text) } };
  const body = { apiVersion: "berth.dev/v1alpha1", kind: "Function", metadata: { name }, spec: { code, ...spec } };
  return cluster.view.kube.patch(path(name), "apply", body, "other", { fieldManager: "kubectl", force: "false" });
}

const condition = async (name: string) => {
  const { status } = await cluster.view.kube.get<FunctionResource>(path(name));
  const found = status?.conditions?.find(({ type }) => type === "RolledOut");
  return `${found?.status} ${found?.reason}`;
};

/** Pods of the function by the revision that they were bound with, each with its code container running. */
async function podsBy(): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { metadata, status } of await cluster.view.functionPods()) {
    const code = status.containerStatuses?.find(({ name }) => name === "code");
    const key = `${metadata.annotations?.[ANNOTATION.revision]}${code?.state?.running ? "" : " not running"}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

async function functionSet(): Promise<CloneSet & { status: { updatedReplicas: number } }> {
  const [set] = await cluster.view.functionSets();
  return set as CloneSet & { status: { updatedReplicas: number } };
}

const uidsOf = async () => (await cluster.view.functionPods()).map(({ metadata }) => metadata.uid).sort();

test("a declared revision moves pods step by step; template, partition and condition tell how far; another pool manager goes on with it", async () => {
  cluster = await ClusterBerth.start({ poolSize: 4 });
  const scale = { minScale: 4, maxScale: 4 };
  const rollout = { steps: ["50%"], interval: "60s", parallel: 2 };
  await apply("paced", "one", { ...scale, rollout });
  await until(async () => (await podsBy()).r1 === 4, "four pods are the function's", 20_000);
  await until(async () => (await functionSet()).spec.updateStrategy?.partition === 0, "the first release is over", 5000);
  const before = { uids: await uidsOf(), image: (await functionSet()).spec.template.spec.containers[1]?.image };
  expect(await condition("paced")).toBe("True AtOnce");

  await apply("paced", "two", { ...scale, rollout });
  await until(async () => (await podsBy()).r2 === 2 && (await podsBy()).r1 === 2, "half of them are moved", 5000);
  await until(async () => (await functionSet()).spec.updateStrategy?.partition === 2, "the partition follows", 5000);
  const half = await functionSet();
  expect(half.spec.template.spec.containers[1]?.image).not.toBe(before.image);
  expect(half.status.updatedReplicas).toBe(2);
  expect(await condition("paced")).toBe("False Rolling");
  const { spec, status } = await cluster.view.kube.get<FunctionResource>(path("paced"));
  expect([spec.traffic, status?.active, status?.traffic?.split]).toEqual([undefined, "r1", { r2: 50 }]);

  // Undone: everything as before, though the declaration still says otherwise, also when it is said again.
  await cluster.berth.api.call("POST", "/v1/functions/paced/rollout/undo");
  await until(async () => (await podsBy()).r1 === 4, "all are back", 5000);
  await apply("paced", "two", { ...scale, rollout, queueDepth: 500 });
  await until(async () => ((await cluster.berth.api.get("/v1/functions/paced")) as { queueDepth: number }).queueDepth === 500, "the change is in force", 5000);
  expect([await condition("paced"), await cluster.text("paced")]).toEqual(["False Undone", "200 one"]);
  await until(async () => (await functionSet()).spec.updateStrategy?.partition === 0, "the way back is over", 5000);
  expect((await functionSet()).spec.template.spec.containers[1]?.image).toBe(before.image);

  // Another one begins, and its pool manager ends in the middle.
  await apply("paced", "three", { ...scale, rollout: { ...rollout, interval: "3s" } });
  await until(async () => (await cluster.berth.api.get<{ percent: number }>("/v1/functions/paced/rollout")).percent >= 50, "its first step", 5000);
  const { stateDir } = cluster;
  await cluster.berth.close();
  cluster = await cluster.again({ poolSize: 4 }, stateDir);
  await until(async () => (await condition("paced")) === "True Complete", "its successor has ended it", 5000);
  expect(await cluster.text("paced")).toBe("200 three");
  await until(async () => (await podsBy()).r3 === 4, "all have the third", 5000);
  expect(await uidsOf()).toEqual(before.uids);
}, 240_000);

describe.each(["inline", "image"] as const satisfies UpOptions["loadPath"][])("load path %s", (loadPath) => {
  test("an image that cannot be pulled stops its rollout; every pod is back or gone, none is left behind", async () => {
    cluster = await ClusterBerth.start({ poolSize: 2, loadPath });
    const { berth } = cluster;
    const rollout = { steps: ["50%"], interval: "30s" };
    // A busy kubelet takes some seconds until it says that the image cannot be pulled.
    await berth.deploy("lost", says("one"), { minScale: 2, maxScale: 2, loadTimeout: "15s", rollout });
    await until(async () => (await podsBy()).r1 === 2, "both pods are the function's", 5000);
    const known = await cluster.imageTags();
    const removed = cluster.removeImage(known);
    await berth.api.call("PATCH", "/v1/functions/lost", { code: await berth.upload(says("two")) });
    await removed;
    const status = () => berth.api.get<{ state: string; reason: string }>("/v1/functions/lost/rollout");
    const wrong: string[] = [];
    while ((await status()).state === "rolling") {
      const answer = await cluster.text("lost");
      // Loaded inline, it serves though its image does not come.
      if (answer !== "200 one" && !(loadPath === "inline" && answer === "200 two")) wrong.push(answer);
      await sleep(50);
    }
    expect(wrong).toEqual([]);
    const { state, reason } = await status();
    expect(state).toBe("stopped");
    expect(reason).toMatch(/ErrImagePull|ImagePullBackOff|not loaded/);
    await until(async () => JSON.stringify(await podsBy()) === '{"r1":2}', "both pods have the first again", 10_000);
    await until(
      async () => {
        const pods = await cluster.view.pods();
        const ours = pods.filter(({ metadata }) => metadata.labels?.[LABEL.pool]);
        const stuck = ours.filter(({ status: { containerStatuses = [] } }) => containerStatuses.some(({ state: is }) => is?.waiting));
        return ours.length === 4 && stuck.length === 0;
      },
      "two of the pool, two of the function, and none that waits",
      10_000,
    );
    expect(await cluster.text("lost")).toBe("200 one");
  }, 180_000);
});
