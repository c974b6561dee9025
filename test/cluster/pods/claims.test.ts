import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import { LABEL, type Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import type { Instance, Platform, PlatformError } from "../../../pool-manager/platform/platform.ts";
import { sleep, until } from "../../helpers/berth.ts";
import { NODE } from "../machine/layout.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";
import { ClusterView } from "../subject/cluster-view.ts";
import { STEPS } from "../subject/killed-manager.ts";
import { clusterConfig, connect, deleteNamespace, freshNamespace, MemoryImages } from "../subject/subject.ts";

const PODS = 200;
const FUNCTIONS = 10;

// I5
describe("two pool managers", () => {
  test(`claim ${PODS} pods at once: each pod goes to exactly one function, and Kruise deletes none`, async () => {
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
});

test("20 claims of one function take at most 24 writes", async () => {
  const cluster = await ClusterBerth.start({ poolSize: 20 });
  try {
    const writes = async () =>
      Number(/^berth_api_writes_total\{purpose="claim"\} (\d+)/m.exec(await (await fetch(`${cluster.berth.berth.manageUrl}/metrics`)).text())?.[1] ?? 0);
    const source = "export default { async fetch() { await new Promise((done) => setTimeout(done, 3000)); return new Response('done'); } };";
    await cluster.berth.deploy("many", source, { concurrency: 1, maxScale: 20 });
    await sleep(2000);
    const before = await writes();
    await Promise.all(Array.from({ length: 20 }, () => cluster.text("many")));
    await until(async () => (await cluster.view.functionPods()).length === 20, "all are bound", 20_000);
    const taken = (await writes()) - before;
    process.stdout.write(`20 claims of one function: ${taken} writes\n`);
    expect(taken).toBeLessThanOrEqual(24);
    await until(() => cluster.view.balanced(), "every CloneSet counts its pods", 8000);
  } finally {
    await cluster.finish();
  }
}, 240_000);

/** Uid of the instance when this manager got it; tried again where only its record had moved on. */
/** Pods that have not come in time are asked for again. */
function notYet(error: PlatformError): void {
  if (error.code !== "UNREACHABLE") throw error;
}

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

describe("a pool manager that is killed while it claims", () => {
  test.each(STEPS)("%s: its successor finds the claim, nothing leaks and nothing is doubled", async (step) => {
    const namespace = freshNamespace();
    const stateDir = mkdtempSync(join(tmpdir(), "berth-test-"));
    const child = spawn(process.execPath, ["--import", "tsx", "test/cluster/subject/killed-manager.ts", namespace, stateDir, step], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const signal = await new Promise((resolve) => child.once("exit", (_code, how) => resolve(how)));
    expect(signal).toBe("SIGKILL");
    const cluster = await ClusterBerth.start({ poolSize: 2 }, namespace, stateDir);
    try {
      expect(await cluster.text("claimed")).toBe("200 served");
      await cluster.bound("claimed");
      await cluster.berth.prewarmed(2);
      expect((await cluster.berth.instances()).filter((instance) => instance.function === "claimed")).toHaveLength(1);
      await until(async () => (await cluster.view.pods()).length === 3, "there are the pool's pods and the function's");
      expect(await cluster.view.functionPods()).toHaveLength(1);
    } finally {
      await cluster.finish();
    }
  });
});
