import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { deleteNamespace } from "../../../bench/cluster/namespace.ts";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { DELETE_PROTECTION } from "../../../pool-manager/platform/kruise/disruption/budgets.ts";
import { CLONESETS, LABEL } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { poolSetNameOf } from "../../../pool-manager/platform/kruise/objects/template.ts";
import { until } from "../../helpers/berth.ts";
import { newCloneSet } from "../../helpers/builders/objects.ts";
import { clusterConfig, freshNamespace } from "../subject/subject.ts";

/** A namespace with a CloneSet of an instance, as a pool manager has left it. */
async function leftBehind(): Promise<{ kube: KubeClient; path: string }> {
  const namespace = freshNamespace();
  const kube = await KubeClient.connect(clusterConfig(namespace).kubeconfig, namespace);
  const path = `/api/v1/namespaces/${namespace}`;
  await kube.create("/api/v1/namespaces", { metadata: { name: namespace } });
  const name = poolSetNameOf("node", "00000001");
  const labels = { [LABEL.pool]: "node", [LABEL.set]: name };
  const pod = { nodeSelector: { nowhere: "true" }, containers: [{ name: "c", image: "none" }] };
  const spec = { replicas: 1, selector: { matchLabels: { [LABEL.set]: name } }, template: { metadata: { labels }, spec: pod } };
  const set = newCloneSet(name, { metadata: { labels: { ...labels, ...DELETE_PROTECTION } }, spec });
  await kube.create(`${CLONESETS}/namespaces/${namespace}/clonesets`, set);
  await until(async () => (await kube.get<{ items: unknown[] }>(`${path}/pods`)).items.length === 1, "it has its pod");
  return { kube, path };
}

const isGone = (kube: KubeClient, path: string) =>
  kube.get(path).then(
    () => false,
    ({ status }: KubeError) => status === 404,
  );

// Benches and commands find the cluster as a user's would.
beforeAll(() => vi.stubEnv("KUBECONFIG", clusterConfig("any").kubeconfig ?? undefined));
afterAll(() => vi.unstubAllEnvs());

test("a benchmark's namespace goes, with protected CloneSets in it", async () => {
  const { kube, path } = await leftBehind();
  await deleteNamespace(kube.namespace);
  expect(await isGone(kube, path)).toBe(true);
  kube.close();
});

test("a namespace that is terminating, held by what is protected in it, is freed by `berth unprotect`", async () => {
  const { kube, path } = await leftBehind();
  await kube.delete(path);
  type Conditions = { status: { conditions?: { type: string; status: string; message: string }[] } };
  const held = async () => {
    const { conditions = [] } = (await kube.get<Conditions>(path)).status;
    return conditions.some(({ status, message }) => status === "True" && message.includes("ResourcesProtectionDeletion"));
  };
  await until(held, "it is held by Kruise's protection", 3000);
  const { stderr } = await promisify(execFile)(process.execPath, ["dist/berth.js", "unprotect", "-n", kube.namespace], { timeout: 20_000 });
  expect(stderr).toContain(`CloneSets of namespace ${kube.namespace} that can be deleted now: 1`);
  await until(() => isGone(kube, path), "it is gone", 6000);
  kube.close();
});
