import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import type { PoolResource } from "../../../pool-manager/stores/kubernetes/pool-resources.ts";
import { sleep, until } from "../../helpers/berth.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

const CODE = "export default { fetch: () => new Response('here') };";

interface PoolView {
  instances: Record<string, number>;
  obstructed: Record<string, number>;
  problems: string[];
  doubt: string | null;
}

let cluster: ClusterBerth;
beforeAll(async () => {
  cluster = await ClusterBerth.start({ poolSize: 3, poolMax: 8 });
});
afterAll(() => cluster.finish());

const pool = () => cluster.berth.api.get<PoolView>("/v1/pools/node");
const setPool = (change: object) => cluster.berth.api.call("PATCH", "/v1/pools/node", change);
const path = (kind: string, name = "") => `/api/v1/namespaces/${cluster.namespace}/${kind}${name && `/${name}`}`;
const freePods = async () => (await cluster.view.instancePods()).filter(({ metadata }) => !metadata.labels?.["berth.dev/function"]);
const uids = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.uid).sort();

async function metric(line: RegExp): Promise<number> {
  const text = await (await fetch(`${cluster.berth.berth.manageUrl}/metrics`)).text();
  return Number(line.exec(text)?.[1] ?? 0);
}

test("pods that have failed hold no place, keep nobody in doubt, and are gone after a moment", async () => {
  await cluster.berth.deploy("kept", CODE);
  expect(await cluster.text("kept")).toBe("200 here");
  await cluster.bound("kept");
  await cluster.berth.prewarmed(3);
  const kept = await cluster.warm("kept");
  const failed = await freePods();
  const status = { phase: "Failed", reason: "Evicted", message: "The node was low on resource: memory." };
  for (const { metadata } of failed) await cluster.view.kube.patch(`${path("pods", metadata.name)}/status`, "merge", { status });
  await until(async () => (await freePods()).every(({ metadata }) => !uids(failed).includes(metadata.uid)), "the failed pods are gone", 20_000);
  await cluster.berth.prewarmed(3);
  await until(async () => Object.keys((await pool()).obstructed).length === 0, "nothing is told of them any more");
  expect((await pool()).doubt).toBeNull();
  expect((await cluster.warm("kept")).uid).toBe(kept.uid);
  expect((await cluster.view.instancePods()).length).toBe(4);
});

test("pods that cannot be deleted hold no place: functions are served by others, and the reason is told", async () => {
  const held = await cluster.view.instancePods();
  for (const { metadata } of held) await cluster.view.kube.patch(path("pods", metadata.name), "merge", { metadata: { finalizers: ["example.com/hold"] } });
  try {
    for (const { metadata } of held) await cluster.view.deletePod(metadata.name).catch(() => {});
    await until(async () => uids(await cluster.view.instancePods()).every((uid) => !uids(held).includes(uid)), "all of them are being deleted", 20_000);
    expect(await cluster.text("kept")).toBe("200 here");
    await cluster.berth.deploy("another", CODE);
    expect(await cluster.text("another")).toBe("200 here");
    await cluster.berth.prewarmed(3);
    await until(async () => (await pool()).problems.some((problem) => problem.includes("example.com/hold")), "the finalizer is named", 30_000);
  } finally {
    for (const { metadata } of held) {
      await cluster.view.kube.patch(path("pods", metadata.name), "merge", { metadata: { finalizers: null } }).catch(() => {});
    }
  }
  await until(async () => (await pool()).problems.length === 0, "nothing is in the way any more");
});

describe("a refusal is told in the cluster's own words", () => {
  test("a quota: to callers, in the API, on the Pool and as an Event; it is asked less and less often, and mended by itself", async () => {
    const pods = String((await cluster.view.instancePods()).length);
    await cluster.view.kube.create(path("resourcequotas"), { metadata: { name: "few" }, spec: { hard: { pods } } });
    try {
      // There is one function more than there are free instances.
      for (const name of ["q1", "q2", "q3"]) {
        await cluster.berth.deploy(name, CODE);
        expect(await cluster.text(name)).toBe("200 here");
      }
      await cluster.berth.deploy("q4", CODE, { queueTimeout: "6s" });
      expect(await cluster.text("q4")).toMatch(/^503 .*POOL_BLOCKED.*exceeded quota: few/);
      expect((await pool()).problems).toEqual([expect.stringMatching(/^no more instances are created: .*exceeded quota: few/)]);
      const isTold = async () => {
        const { status } = await cluster.view.kube.get<PoolResource>(`/apis/berth.dev/v1alpha1/namespaces/${cluster.namespace}/pools/node`);
        const { items } = await cluster.view.kube.get<{ items: { reason: string; message: string }[] }>(path("events"), {
          fieldSelector: "involvedObject.kind=Pool",
        });
        const condition = status?.conditions?.find(({ type }) => type === "Obstructed");
        return condition?.status === "True" && items.some(({ reason, message }) => reason === "ActionFailed" && message.includes("exceeded quota"));
      };
      await until(isTold, "the Pool has a condition and an Event");
      const tries = /^berth_action_failures_total\{action="scale",reason="REFUSED"\} (\d+)/m;
      const before = await metric(tries);
      await sleep(20_000);
      expect((await metric(tries)) - before).toBeLessThanOrEqual(6);
    } finally {
      await cluster.view.kube.delete(path("resourcequotas", "few"));
    }
    await setPool({ max: 12 });
    await until(async () => (await cluster.text("q4")) === "200 here", "the pool has gone on by itself", 15_000);
    await cluster.berth.prewarmed(3);
    await until(async () => (await pool()).problems.length === 0, "nothing is in the way any more");
  });

  test("a policy that refuses our swaps: functions serve on, and their CloneSets keep their replicas", async () => {
    const name = `berth-test-images-${cluster.namespace}`;
    const policies = "/apis/admissionregistration.k8s.io/v1";
    const matchConstraints = {
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": cluster.namespace } },
      resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["UPDATE"] }],
    };
    const expression = "object.spec.containers.all(c, oldObject.spec.containers.exists(o, o.name == c.name && o.image == c.image))";
    const validations = [{ expression, message: "images are not signed" }];
    await cluster.view.kube.create(`${policies}/validatingadmissionpolicies`, {
      metadata: { name },
      spec: { failurePolicy: "Fail", matchConstraints, validations },
    });
    const binding = { metadata: { name }, spec: { policyName: name, validationActions: ["Deny"] } };
    await cluster.view.kube.create(`${policies}/validatingadmissionpolicybindings`, binding);
    try {
      // The API server takes a moment to hear of a policy: until then a swap passes.
      await until(async () => {
        const [pod] = await freePods();
        const patch = { spec: { containers: [{ name: "code", image: "refused:1" }] } };
        const outcome = await cluster.view.kube
          .patch(`${path("pods", pod?.metadata.name)}?dryRun=All`, "strategic-merge", patch)
          .catch((error: Error) => error);
        return outcome instanceof Error && outcome.message.includes("images are not signed");
      }, "the policy is in force");
      await cluster.berth.deploy("unsigned", CODE);
      expect(await cluster.text("unsigned")).toBe("200 here");
      const view = () => cluster.berth.api.get<{ uid: string; problems: string[] }>("/v1/functions/unsigned");
      await until(async () => (await view()).problems.some((problem) => problem.includes("images are not signed")), "the function tells it", 20_000);
      const { uid } = await view();
      const replicas = async () => (await cluster.view.functionSets()).find(({ metadata }) => metadata.name === `fn-${uid}`)?.spec.replicas;
      for (let i = 0; i < 10; i++) {
        expect(await replicas()).toBeLessThanOrEqual(1);
        await sleep(500);
      }
      expect(await cluster.text("unsigned")).toBe("200 here");
    } finally {
      await cluster.view.kube.delete(`${policies}/validatingadmissionpolicybindings/${name}`);
      await cluster.view.kube.delete(`${policies}/validatingadmissionpolicies/${name}`);
    }
    await until(async () => (await cluster.view.functionSets()).length >= 2, "CloneSets are there");
    await cluster.bound("unsigned");
    expect((await cluster.berth.api.get<{ problems: string[] }>("/v1/functions/unsigned")).problems).toEqual([]);
  });
});
