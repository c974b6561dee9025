import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLoop } from "../../../bench/driver.ts";
import type { RegistryClient } from "../../../pool-manager/images/registry.ts";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { checkCluster } from "../../../pool-manager/platform/kruise/cluster-checks.ts";
import { ANNOTATION, CLONESETS, type CloneSet, LABEL, type Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { TestBerth, until } from "../../helpers/berth.ts";
import { pushRedisImage } from "../machine/install/images.ts";
import { REGISTRY } from "../machine/layout.ts";
import { Installed, leftOf } from "../subject/chart.ts";
import { ClusterView } from "../subject/cluster-view.ts";
import { allowedBeyondNeed, asServiceAccount } from "../subject/service-account.ts";
import { freshNamespace } from "../subject/subject.ts";

const HELLO = "export default { fetch: () => new Response('hello') };";
/** Values that a rolling upgrade changes, and that stay so. */
const UPGRADED = ["manager.logLevel=debug", "router.unreadyMs=3500"];
const namespace = freshNamespace();
let installed: Installed;
let berth: TestBerth;
let view: ClusterView;
let redisImage: string;
beforeAll(async () => {
  installed = await Installed.install(namespace, { redis: { image: await pushRedisImage(REGISTRY, "one") }, router: { unreadyMs: 3000 } });
  view = await ClusterView.open(namespace);
  const [invokeUrl, manageUrl] = [await installed.service("berth-router"), await installed.service("berth-manager")];
  berth = new TestBerth({ invokeUrl, manageUrl, close: async () => {} }, installed.key);
}, 300_000);
afterAll(async () => {
  view.close();
  await installed.remove();
});

const headers = () => ({ "x-berth-api-key": installed.key });
const component = (name: string) => view.component(name);
const instances = () => view.instancePods();
const isGone = (path: string) => view.isGone(path);
const text = async (name: string) => {
  const response = await berth.invoke(name, { headers: headers(), signal: AbortSignal.timeout(60_000) });
  return `${response.status} ${await response.text()}`;
};

describe("Berth in a cluster, installed by its chart", () => {
  test("deploys and invokes through its Services, with keys, in a namespace that enforces Pod Security restricted", async () => {
    expect([(await component("manager")).length, (await component("router")).length]).toEqual([2, 2]);
    await berth.prewarmed(3);
    await berth.deploy("hello", HELLO);
    expect(await text("hello")).toBe("200 hello");
    expect((await berth.invoke("hello")).status).toBe(401);
    expect((await fetch(`${berth.berth.manageUrl}/v1/functions`)).status).toBe(401);
    const scraped = await fetch(`${berth.berth.manageUrl}/metrics`, { headers: { authorization: `Bearer ${installed.monitorKey}` } });
    expect(scraped.status).toBe(200);
    // Every pool manager and every router gives the same answer.
    for (const { status } of await component("manager")) {
      const direct = new TestBerth({ ...berth.berth, manageUrl: `http://${status.podIP}:8081` }, installed.key);
      expect(await direct.api.get("/v1/functions/hello")).toMatchObject({ revision: "r1" });
    }
    for (const { status } of await component("router")) {
      const response = await fetch(`http://${status.podIP}:8080/function/hello`, { headers: headers() });
      expect(await response.text()).toBe("hello");
    }
  });

  test("keeps the runtimes' images on each node", async () => {
    const path = `${CLONESETS}/namespaces/${namespace}/daemonsets/berth-prepull`;
    type DaemonSet = Pod & { spec: { template: Pick<Pod, "spec"> }; status: { numberReady: number; desiredNumberScheduled: number } };
    const { spec, status } = await view.kube.get<DaemonSet>(path);
    expect(status).toMatchObject({ numberReady: 1, desiredNumberScheduled: 1 });
    expect(spec.template.spec.containers.map(({ name }) => name)).toEqual(["runtime", "python", "idle"]);
  });
});

describe("a pool manager", () => {
  test("that is told to stop ends within seconds, whether it waits or leads, and the API answers meanwhile", async () => {
    const lease = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/berth`;
    const leader = async () => (await view.kube.get<{ spec: { holderIdentity: string } }>(lease)).spec.holderIdentity;
    const deployment = `/apis/apps/v1/namespaces/${namespace}/deployments/berth-manager`;
    const available = async () => (await view.kube.get<{ status: { availableReplicas?: number } }>(deployment)).status.availableReplicas;
    for (const leads of [false, true]) {
      await until(async () => (await available()) === 2, "there are two", 20_000);
      const before = await leader();
      const { metadata } = (await component("manager")).find((pod) => before.startsWith(pod.metadata.name) === leads) as Pod;
      const pod = `/api/v1/namespaces/${namespace}/pods/${metadata.name}`;
      const from = performance.now();
      await view.kube.delete(pod);
      while (!(await isGone(pod))) {
        expect(await berth.api.get("/v1/functions/hello")).toMatchObject({ revision: "r1" });
        expect(performance.now() - from).toBeLessThan(12_000);
      }
      process.stdout.write(`a pool manager that ${leads ? "leads" : "waits"} ended ${Math.round(performance.now() - from)} ms after it was deleted\n`);
      expect((await leader()).startsWith(metadata.name)).toBe(false);
    }
  });
});

describe("a rolling upgrade", () => {
  test("of pool managers and routers under load fails no invocation, and every warm pod keeps its uid", async () => {
    await berth.prewarmed(3);
    const before = (await instances()).map(({ metadata }) => metadata.uid);
    const [managers, routers] = [await component("manager"), await component("router")];
    const failed: string[] = [];
    const url = `${berth.berth.invokeUrl}/function/hello`;
    let over = false;
    const upgraded = installed.upgrade(...UPGRADED).finally(() => {
      over = true;
    });
    let sent = 0;
    while (!over) {
      const onOutcome = ({ status, error }: { status: number; error: string | null }) => status !== 200 && failed.push(`${status} ${error}`);
      await openLoop({ rate: 40, count: 200, seed: sent + 1, shot: () => ({ url, headers: headers() }), onOutcome });
      sent += 200;
    }
    await upgraded;
    process.stdout.write(`${sent} invocations during a rolling upgrade: ${failed.length} failed\n`);
    expect(failed).toEqual([]);
    const uidsOf = (pods: Pod[]) => pods.map(({ metadata }) => metadata.uid);
    await until(async () => (await component("manager")).length === 2 && (await component("router")).length === 2, "the old ones are gone", 20_000);
    for (const [now, then] of [
      [await component("manager"), managers],
      [await component("router"), routers],
    ] as const)
      expect(uidsOf(now).filter((uid) => uidsOf(then).includes(uid))).toEqual([]);
    expect(uidsOf(await instances())).toEqual(expect.arrayContaining(before));
    await berth.deploy("later", HELLO);
    expect(await text("later")).toBe("200 hello");
  });

  test("of Redis is in place: the pod keeps its address", async () => {
    const [before] = await component("redis");
    redisImage = await pushRedisImage(REGISTRY, "two");
    await installed.upgrade(...UPGRADED, `redis.image=${redisImage}`);
    await until(async () => {
      const [now] = await component("redis");
      const running = now?.status.containerStatuses?.find(({ name }) => name === "redis");
      return running?.restartCount === 1 && running.state?.running !== undefined;
    }, "the new image runs");
    const [after] = await component("redis");
    expect([after?.metadata.uid, after?.status.podIP]).toEqual([before?.metadata.uid, before?.status.podIP]);
    expect(await text("hello")).toBe("200 hello");
  });
});

describe("the pool managers' Service", () => {
  test("may be made again with another address: both routers find the next leader by themselves, and serve what is warm meanwhile", async () => {
    const path = `/api/v1/namespaces/${namespace}/services/berth-manager`;
    const { metadata, spec } = await view.kube.get<{ metadata: { labels: object }; spec: { clusterIP: string; ports: object[]; selector: object } }>(path);
    await view.kube.delete(path);
    const fresh = { metadata: { name: "berth-manager", labels: metadata.labels }, spec: { ports: spec.ports, selector: spec.selector } };
    const again = await view.kube.create<{ spec: { clusterIP: string } }>(path.replace(/\/berth-manager$/, ""), fresh);
    expect(again.spec.clusterIP).not.toBe(spec.clusterIP);
    berth = new TestBerth({ ...berth.berth, manageUrl: await installed.service("berth-manager") }, installed.key);
    const leads = (url: string) =>
      fetch(`${url}/healthz`, { headers: { connection: "close" } }).then(
        (response) => response.ok,
        () => false,
      );
    await until(() => leads(berth.berth.manageUrl), "the new address leads to pool managers");
    const lease = await view.kube.get<{ spec: { holderIdentity: string } }>(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/berth`);
    const leader = (await component("manager")).find((pod) => lease.spec.holderIdentity.startsWith(pod.metadata.name));
    const pod = `/api/v1/namespaces/${namespace}/pods/${leader?.metadata.name}`;
    await view.kube.delete(pod);
    // It answers for some seconds yet, and over connections that were there before.
    await until(() => isGone(pod), "the last leader is gone", 3000);
    const from = performance.now();
    await berth.deploy("moved", HELLO);
    for (const { status } of await component("router")) {
      const url = `http://${status.podIP}:8080/function`;
      const statusOf = async (name: string) => (await fetch(`${url}/${name}`, { headers: headers() })).status;
      // The functions that it serves do not depend on a pool manager.
      expect(await statusOf("hello")).toBe(200);
      await until(async () => (await statusOf("moved")) === 200, "the new function is known to it", 2000);
    }
    process.stdout.write(`both routers had found the next leader ${Math.round(performance.now() - from)} ms after the last one was gone\n`);
  });
});

describe("a sidecar", () => {
  const set = (image: string) =>
    installed.upgrade(...UPGRADED, `redis.image=${redisImage}`, "sidecar.enabled=true", `sidecar.image=${image}`, "sidecar.command={redis-server}");
  const sidecarOf = (pod: Pod | undefined) => pod?.status.containerStatuses?.find(({ name }) => name === "sidecar");

  test("comes with new instances, and is upgraded in place without touching their functions", async () => {
    await set(await pushRedisImage(REGISTRY, "sidecar-one"));
    const old = new Set((await instances()).map(({ metadata }) => metadata.uid));
    // One more than there are free: the next one is made with the sidecar.
    await berth.api.call("PATCH", "/v1/pools/node", { size: 5 });
    const fresh = async () => (await instances()).filter(({ metadata }) => !old.has(metadata.uid));
    await until(async () => (await fresh()).length >= 2 && (await fresh()).every((pod) => sidecarOf(pod)?.state?.running), "new pods have it");
    await berth.prewarmed(5);
    await berth.deploy("beside", HELLO);
    for (const { metadata } of (await instances()).filter(({ metadata: { uid, labels } }) => old.has(uid) && !labels?.[LABEL.function]))
      await view.deletePod(metadata.name, 0);
    expect(await text("beside")).toBe("200 hello");
    await until(async () => (await view.functionPods()).some((pod) => !old.has(pod.metadata.uid)), "a function runs beside it");
    const before = (await view.functionPods()).find((pod) => !old.has(pod.metadata.uid));
    const row = async () => (await berth.instances()).find(({ uid }) => uid === before?.metadata.uid);
    const served = await row();
    await set(await pushRedisImage(REGISTRY, "sidecar-two"));
    await until(async () => (sidecarOf(await view.pod(before?.metadata.uid))?.restartCount ?? 0) > 0, "its sidecar is another one");
    const after = await view.pod(before?.metadata.uid);
    const restarts = after?.status.containerStatuses?.filter(({ name }) => name === "runtime").map(({ restartCount }) => restartCount);
    expect([after?.status.podIP, restarts]).toEqual([before?.status.podIP, [0]]);
    expect(await row()).toMatchObject({ epoch: served?.epoch, state: "warm" });
    expect(await text("beside")).toBe("200 hello");
  });
});

describe("what a pool manager may do", () => {
  test("is what it needs, and no more", async () => {
    const kube = await asServiceAccount(view.kube, "berth-manager");
    expect(await allowedBeyondNeed(kube, namespace)).toEqual([]);
    const { detail } =
      (await checkCluster(kube, {} as RegistryClient, { anyKruise: true, memory: "256Mi", sizeClasses: [] })).find(({ name }) => name === "permissions") ?? {};
    expect(detail).toBe(`all in namespace ${namespace}`);
    // Routers need nothing of the API server, and have no token.
    const [router] = await component("router");
    expect(JSON.stringify(router?.spec)).not.toContain("serviceAccountToken");
    kube.close();
  });

  test("ends with its term: the API server refuses writes of an older one", async () => {
    const kube = await asServiceAccount(view.kube, "berth-manager");
    const patch = (path: string, term: number) =>
      kube.patch(path, "merge", { metadata: { annotations: { [ANNOTATION.term]: String(term) } } }).then(
        () => "written",
        (error: KubeError) => error.message,
      );
    const write = (pod: Pod | undefined, term: number) => patch(`/api/v1/namespaces/${namespace}/pods/${pod?.metadata.name}`, term);
    const { spec } = await view.kube.get<{ spec: { leaseTransitions: number } }>(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/berth`);
    expect(spec.leaseTransitions).toBeGreaterThan(1);
    const [bound] = await view.functionPods();
    expect(await write(bound, Number(bound?.metadata.annotations?.[ANNOTATION.term]) - 1)).toContain("a later leader has written to it");
    const termOf = (set: CloneSet) => Number(set.metadata.annotations?.[ANNOTATION.term]);
    const set = (await view.sets()).find((one) => termOf(one) > 0) as CloneSet;
    expect(await patch(`${CLONESETS}/namespaces/${namespace}/clonesets/${set.metadata.name}`, termOf(set) - 1)).toContain("a later leader has written to it");
    expect(await write(bound, spec.leaseTransitions)).toBe("written");
    kube.close();
  });
});

describe("an installation that is removed", () => {
  test("goes in the order that people use, with instances and all: nothing stays, and nothing is terminating for ever", async () => {
    expect((await view.sets()).filter(({ spec }) => spec.replicas > 0).length).toBeGreaterThan(1);
    await installed.uninstall();
    const path = `/api/v1/namespaces/${namespace}`;
    await view.kube.delete(path);
    await until(() => isGone(path), "the namespace is gone", 9000);
    expect(await leftOf(view.kube, namespace)).toEqual([]);
  });
});
