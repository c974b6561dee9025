import { afterAll, beforeAll, expect, test } from "vitest";
import type { CliError } from "../../../cli/errors.ts";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { RESOURCES } from "../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import type { FunctionResource } from "../../../pool-manager/stores/kubernetes/function-resource.ts";
import { until } from "../../helpers/berth.ts";
import { ExternalMetrics } from "../../helpers/servers/external-metrics.ts";
import { NODE_IP } from "../machine/layout.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

const NAME = "scaled";
const TEST_MS = 180_000;
/** The autoscaler looks every 15 s. */
const LOOKED_MS = 60_000;

interface Scale {
  spec: { replicas?: number };
  status: { replicas: number; selector?: string };
}

let cluster: ClusterBerth;
let metrics: ExternalMetrics;
beforeAll(async () => {
  cluster = await ClusterBerth.start({ poolSize: 1 });
  metrics = await ExternalMetrics.start(cluster.view.kube, NODE_IP);
  await cluster.berth.deploy(NAME, "export default { fetch: () => new Response('scaled') };", { minScale: 1, maxScale: 4 });
});
afterAll(async () => {
  await metrics?.close();
  await cluster.finish();
});

const path = () => `${RESOURCES}/namespaces/${cluster.namespace}/functions/${NAME}`;
const scale = () => cluster.view.kube.get<Scale>(`${path()}/scale`);
const scaleTo = (replicas: number) => cluster.view.kube.patch(`${path()}/scale`, "merge", { spec: { replicas } });
const warm = async () => (await cluster.allWarm(NAME)).length;

test("kubectl scale sets minScale, and the scale tells instances and how their pods are found", { timeout: TEST_MS }, async () => {
  await scaleTo(2);
  await until(async () => (await warm()) === 2, "two instances are kept");
  await until(async () => (await scale()).status.replicas === 2, "the scale counts them");
  const { spec, status } = await scale();
  expect(spec.replicas).toBe(2);
  await until(async () => (await cluster.view.functionPods()).length === 2, "both are bound");
  const labelSelector = status.selector ?? "";
  const { items } = await cluster.view.kube.get<{ items: { metadata: { uid?: string } }[] }>(`/api/v1/namespaces/${cluster.namespace}/pods`, { labelSelector });
  expect(items.map(({ metadata }) => metadata.uid).sort()).toEqual((await cluster.allWarm(NAME)).map(({ uid }) => uid).sort());
  expect((await cluster.view.kube.get<FunctionResource>(path())).spec.minScale).toBe(2);
});

test("more than maxScale is refused by the API server, and the API is told that others own the number", { timeout: TEST_MS }, async () => {
  expect(await scaleTo(5).catch((error: KubeError) => error.message)).toContain("minScale is above maxScale");
  const refused = await cluster.berth.api.call("PATCH", `/v1/functions/${NAME}`, { minScale: 1 }).catch((error: CliError) => error);
  expect(refused).toMatchObject({ code: "FIELD_OWNED" });
});

test("a HorizontalPodAutoscaler adds and removes instances, and no invocation fails meanwhile", { timeout: TEST_MS }, async () => {
  const quick = { stabilizationWindowSeconds: 0, policies: [{ type: "Pods", value: 10, periodSeconds: 15 }] };
  metrics.value = 40;
  await cluster.view.kube.create(`/apis/autoscaling/v2/namespaces/${cluster.namespace}/horizontalpodautoscalers`, {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: NAME },
    spec: {
      scaleTargetRef: { apiVersion: "berth.dev/v1alpha1", kind: "Function", name: NAME },
      minReplicas: 1,
      maxReplicas: 4,
      metrics: [{ type: "External", external: { metric: { name: "jobs" }, target: { type: "AverageValue", averageValue: "10" } } }],
      behavior: { scaleUp: quick, scaleDown: quick },
    },
  });
  let failed = 0;
  let going = true;
  const load = (async () => {
    while (going) if ((await cluster.text(NAME)) !== "200 scaled") failed += 1;
  })();
  await until(async () => (await warm()) === 4, "there are as many instances as the metric wants", LOOKED_MS);
  metrics.value = 5;
  await until(async () => (await scale()).spec.replicas === 1, "the autoscaler wants one", LOOKED_MS);
  going = false;
  await load;
  expect(failed).toBe(0);
});
