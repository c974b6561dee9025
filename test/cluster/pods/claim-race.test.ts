import { expect, test } from "vitest";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import { LABEL, type Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import type { Instance, Platform, PlatformError } from "../../../pool-manager/platform/platform.ts";
import { sleep, until } from "../../helpers/berth.ts";
import { NODE } from "../machine/layout.ts";
import { ClusterView } from "../subject/cluster-view.ts";
import { clusterConfig, connect, deleteNamespace, freshNamespace, MemoryImages } from "../subject/subject.ts";

const PODS = 200;
const FUNCTIONS = 10;

// I5
test(`two pool managers claim ${PODS} pods at once: each pod goes to exactly one function, and Kruise deletes none`, async () => {
  const namespace = freshNamespace();
  const view = await ClusterView.open(namespace);
  const images = new MemoryImages();
  const layer = await packLayer([{ path: "index.mjs", data: new TextEncoder().encode("export default { fetch: () => new Response('x') };") }], "function/");
  const codes = await Promise.all(Array.from({ length: FUNCTIONS }, (_, i) => images.add(`f${i}`, layer)));
  const managers = [(await connect(clusterConfig(namespace), images)).platform, (await connect(clusterConfig(namespace), images)).platform];
  // Claims are writes: pods that no node runs are claimed like those that do run, and 200 of them fit.
  await view.kube.patch(`/api/v1/nodes/${NODE.name}`, "merge", { spec: { unschedulable: true } });
  try {
    for (const manager of managers) await manager.start();
    const first = managers[0] as Platform;
    // Requests instances as the pool manager does: 50 at once, and again those that have not come in time.
    await until(async () => {
      const seen = first.observe().instances.size;
      const more = { seen: new Set<string>(), more: Math.min(PODS, seen + 50) };
      if (seen < PODS) await first.scalePool({ name: "node", runtime: "node", max: PODS }, more).catch(notYet);
      return first.observe().instances.size === PODS;
    }, `${PODS} pods are created`);
    for (const manager of managers) {
      for (const code of codes) manager.prepareCode([code]);
      await until(() => manager.observe().instances.size === PODS, `${PODS} pods are seen`, 20_000);
    }
    await until(async () => (await view.functionSets()).length === FUNCTIONS, "every function has its CloneSet");
    const claims = await Promise.all(
      managers.flatMap((manager, m) => [...manager.observe().instances.values()].map((instance, i) => claim(manager, instance, `f${(i + m) % FUNCTIONS}`))),
    );
    expect(claims.filter(Boolean)).toHaveLength(PODS);
    await sleep(3000);
    const pods = await view.pods();
    expect(pods).toHaveLength(PODS);
    const sets = new Map((await view.functionSets()).map((set) => [set.metadata.uid, set]));
    for (const pod of pods) expect(sets.get(ownerOf(pod))?.metadata.labels?.[LABEL.function]).toBe(pod.metadata.labels?.[LABEL.function]);
    expect(new Set(claims.filter(Boolean)).size).toBe(PODS);
    await until(() => view.balanced(), "every CloneSet counts its pods", 8000);
  } finally {
    for (const manager of managers) await manager.close();
    await deleteNamespace(namespace);
    // Or the node would start all of them, and be busy with their end for minutes.
    await until(async () => (await view.pods()).length === 0, "the pods are gone", 30_000);
    await view.kube.patch(`/api/v1/nodes/${NODE.name}`, "merge", { spec: { unschedulable: null } });
    view.close();
  }
}, 240_000);

/** Pods that have not come in time are asked for again. */
function notYet(error: PlatformError): void {
  if (error.code !== "UNREACHABLE") throw error;
}

/** Uid of the instance when this manager got it; tried again where only its record had moved on. */
async function claim(manager: Platform, instance: Instance, functionUid: string): Promise<string | null> {
  for (let i = 0; i < 50; i++) {
    const now = manager.observe().instances.get(instance.uid);
    if (!now || now.binding) return null;
    try {
      await manager.bind({ uid: now.uid, resourceVersion: now.resourceVersion }, { functionUid, revision: "r1" });
      return now.uid;
    } catch {
      await sleep(20 + Math.random() * 100);
    }
  }
  throw new Error(`${instance.uid} could neither be claimed nor was it taken`);
}

function ownerOf(pod: Pod): string {
  return pod.metadata.ownerReferences?.find(({ controller }) => controller)?.uid ?? "";
}
