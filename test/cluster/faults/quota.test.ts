import { afterAll, beforeAll, expect, test } from "vitest";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { until } from "../../helpers/berth.ts";
import { type Manifest, manifestsOf, renderChart } from "../subject/manifest.ts";
import { clusterConfig, freshNamespace } from "../subject/subject.ts";

interface Workload extends Manifest {
  spec: { template?: { metadata: object; spec: object }; containers?: { resources?: { limits?: Record<string, string> } }[] };
}

const namespace = freshNamespace();
const base = `/api/v1/namespaces/${namespace}`;
const HARD = { "requests.cpu": "10", "requests.memory": "10Gi", "limits.cpu": "20", "limits.memory": "20Gi", pods: "20" };
let kube: KubeClient;
beforeAll(async () => {
  kube = await KubeClient.connect(clusterConfig(namespace).kubeconfig, namespace);
  await kube.create("/api/v1/namespaces", { metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": "restricted" } } });
  for (const name of ["berth-manager", "berth-router"]) await kube.create(`${base}/serviceaccounts`, { metadata: { name } });
  await kube.create(`${base}/resourcequotas`, { metadata: { name: "all" }, spec: { hard: HARD } });
  await until(async () => (await kube.get<{ status?: { hard?: object } }>(`${base}/resourcequotas/all`)).status?.hard !== undefined, "the quota is in force");
});
afterAll(async () => {
  await kube.delete(base);
  kube.close();
});

/** The API server's answer to the creation of a pod, as a dry run. */
const admitted = (pod: object) =>
  kube.create(`${base}/pods?dryRun=All`, pod).then(
    () => "admitted",
    ({ message }: KubeError) => message,
  );

test("a namespace whose quota counts requests and limits of everything admits each pod of the chart", async () => {
  expect(await admitted({ metadata: { name: "without" }, spec: { containers: [{ name: "c", image: "c" }] } })).toMatch(/forbidden/);
  const rendered = await renderChart(namespace, "--set", "sidecar.enabled=true,sidecar.image=registry.example.com/sidecar,redis.image=redis");
  const workloads = manifestsOf(rendered) as Workload[];
  const outcomes: string[] = [];
  for (const { kind, metadata, spec } of workloads) {
    if (spec?.template) outcomes.push(`${kind} ${metadata.name} ${await admitted({ ...spec.template, metadata: { ...spec.template.metadata, name: "one" } })}`);
  }
  expect(outcomes.sort()).toEqual([
    "DaemonSet berth-prepull admitted",
    "Deployment berth-manager admitted",
    "Deployment berth-router admitted",
    "Job berth-unprotect admitted",
    "StatefulSet berth-redis admitted",
  ]);
  // Kruise puts it into instances' pods.
  const sidecar = workloads.find(({ kind }) => kind === "SidecarSet")?.spec.containers?.[0];
  expect(sidecar?.resources?.limits).toMatchObject({ cpu: expect.any(String), memory: expect.any(String) });
});
