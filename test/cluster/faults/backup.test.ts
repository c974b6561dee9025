import { cpSync, rmSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RESOURCES } from "../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import type { FunctionResource } from "../../../pool-manager/stores/kubernetes/function-resource.ts";
import { until } from "../../helpers/berth.ts";
import { apiserver, controllers, etcd, kruise, kubelet, scheduler } from "../machine/daemons.ts";
import { at } from "../machine/layout.ts";
import { type Daemon, pidOf, settled, start, stop } from "../machine/processes.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

/** Processes that keep a view of the API server's data that is wrong after a restore from a backup. */
const PICTURES = [controllers, scheduler, kubelet, kruise];
const COPY = at("etcd-copy");

let cluster: ClusterBerth;
beforeAll(async () => {
  if (!pidOf("etcd")) throw new Error("this test stops and starts parts of the cluster of npm run cluster:up: it does not run");
  cluster = await ClusterBerth.start({ poolSize: 1 });
});
afterAll(() => cluster.finish());

async function run(daemon: Daemon): Promise<void> {
  start(daemon);
  await settled(daemon);
}

/** Does something with the data of an etcd that does not run. */
async function offline(work: () => void): Promise<void> {
  for (const { name } of [apiserver, etcd]) await stop(name);
  work();
  for (const daemon of [etcd, apiserver]) await run(daemon);
  // It serves its own kinds first.
  await until(() => cluster.view.kube.get(path("functions")).then(Boolean, () => false), "custom resources are served");
}

const WRITES = 800;
const path = (kind: string, name = "") => `${RESOURCES}/namespaces/${cluster.namespace}/${kind}${name && `/${name}`}`;
const says = (text: string) => ({ code: { files: { "index.mjs": `export default { fetch: () => new Response("${text}") };` } } });
const create = (name: string) =>
  cluster.view.kube.create(path("functions"), { apiVersion: "berth.dev/v1alpha1", kind: "Function", metadata: { name }, spec: says(name) });
const version = async () => Number((await cluster.view.kube.get<FunctionResource>(path("functions", "before"))).metadata.resourceVersion);

test("etcd is restored from a backup: what is declared then is heard, and a function that the backup does not have goes on", async () => {
  await create("before");
  await until(async () => (await cluster.text("before")) === "200 before", "it serves");
  await cluster.bound("before");
  await cluster.berth.prewarmed(1);
  const pods = (await cluster.view.functionPods()).map(({ metadata }) => metadata.uid);
  rmSync(COPY, { recursive: true, force: true });
  await offline(() => cpSync(at("etcd"), COPY, { recursive: true }));
  const kept = await version();
  try {
    // There are so many writes that those after the restore do not reach the old version before it is read: only a later listing shows the restore.
    for (let i = 0; i < WRITES; i++) await cluster.view.kube.patch(path("functions", "before"), "merge", { metadata: { annotations: { i: String(i) } } });
    await create("between");
    await until(async () => (await cluster.berth.api.get<{ items: object[] }>("/v1/functions")).items.length === 2, "it is taken in");
    expect(await version()).toBeGreaterThan(kept + WRITES - 10);
  } finally {
    await offline(() => {
      rmSync(at("etcd"), { recursive: true });
      cpSync(COPY, at("etcd"), { recursive: true });
      rmSync(COPY, { recursive: true });
    });
    for (const { name } of PICTURES) await stop(name);
    for (const daemon of PICTURES) await run(daemon);
  }
  expect(await version()).toBeLessThan(kept + WRITES - 10);
  await create("late");
  await until(async () => (await cluster.text("late")) === "200 late", "what is declared now is heard");
  await cluster.view.kube.patch(`${path("pools", "node")}/scale`, "merge", { spec: { replicas: 2 } });
  await until(async () => ((await cluster.berth.api.get("/v1/pools/node")) as { size: number }).size === 2, "so is the scale");
  expect([await cluster.text("before"), await cluster.text("between")]).toEqual(["200 before", "200 between"]);
  await until(async () => (await cluster.view.kube.get(path("functions", "between")).catch(() => null)) !== null, "it is written again", 60_000);
  expect((await cluster.view.functionPods()).map(({ metadata }) => metadata.uid)).toEqual(expect.arrayContaining(pods));
  await cluster.bound("late");
}, 300_000);
