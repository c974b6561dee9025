import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../helpers/berth.ts";
import { SteadyLoad } from "../load/steady-load.ts";
import { BIN } from "../machine/install/programs.ts";
import { NODE, SECOND_NODE } from "../machine/layout.ts";
import { startSecondNode, stopSecondNode } from "../machine/second-node.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";
import { clusterConfig } from "../subject/subject.ts";

const INSTANCES = 5;
const FREE = 2;
let cluster: ClusterBerth;

const kubectl = (...args: string[]) =>
  promisify(execFile)(BIN.kubectl, ["--kubeconfig", clusterConfig("default").kubeconfig ?? "", ...args], { timeout: 60_000 });
const nodesOf = async () => (await cluster.view.instancePods()).map(({ spec, status }) => `${spec.nodeName} ${status.phase}`);
const warm = async () => (await cluster.allWarm("kept")).length;

beforeAll(async () => {
  await startSecondNode();
  await kubectl("cordon", NODE.name);
  cluster = await ClusterBerth.start({ poolSize: FREE });
  await cluster.berth.deploy("kept", "export default { fetch: () => new Response('kept') };", {
    minScale: INSTANCES,
    maxScale: 2 * INSTANCES,
    concurrency: 10,
  });
  await until(async () => (await warm()) === INSTANCES, "the function has its instances");
  await cluster.berth.prewarmed(FREE);
  await kubectl("uncordon", NODE.name);
}, 180_000);

afterAll(async () => {
  try {
    await kubectl("uncordon", NODE.name);
    await cluster.finish();
    await kubectl("wait", "--for=delete", `namespace/${cluster.namespace}`, "--timeout=50s");
  } finally {
    await stopSecondNode();
  }
}, 180_000);

/** Kruise's webhook denies evictions of pods that Berth has already removed, on which kubectl gives up: so it is asked again, as the guide says. */
async function drain(node: string): Promise<string> {
  for (const deadline = Date.now() + 50_000; ; ) {
    const drained = kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=55s");
    try {
      return (await drained).stdout;
    } catch (error) {
      if (!/^error when evicting .* Pod "\S+" not found$/m.test((error as { stderr: string }).stderr) || Date.now() > deadline) throw error;
    }
  }
}

/** Under load, until all of them are on `to` alone; returns how few were warm at any time. */
async function moves(to: string, act: () => Promise<unknown>): Promise<number> {
  const load = new SteadyLoad(cluster.berth.berth.invokeUrl, "kept");
  let least = Number.POSITIVE_INFINITY;
  const moved = until(
    async () => {
      least = Math.min(least, await warm());
      const nodes = await nodesOf();
      return nodes.length === INSTANCES + FREE && nodes.every((node) => node === `${to} Running`);
    },
    `everything is on ${to}`,
    15_000,
  );
  try {
    await Promise.all([act(), moved]);
  } finally {
    expect(await load.end()).toEqual([]);
  }
  await cluster.berth.prewarmed(FREE);
  return least;
}

test("a cordoned node is left by every instance, under load, without a failed invocation and without a warm one too few", async () => {
  expect(new Set(await nodesOf())).toEqual(new Set([`${SECOND_NODE.name} Running`]));
  expect(await moves(NODE.name, () => kubectl("cordon", SECOND_NODE.name))).toBe(INSTANCES);
});

test("a node that is drained at once is left without a failed invocation too, a fifth of the instances at a time", async () => {
  await moves(SECOND_NODE.name, async () => {
    await kubectl("uncordon", SECOND_NODE.name);
    await kubectl("cordon", NODE.name);
  });
  let said = "";
  const least = await moves(NODE.name, async () => {
    await kubectl("uncordon", NODE.name);
    said = await drain(SECOND_NODE.name);
  });
  expect(least).toBeGreaterThanOrEqual(INSTANCES - 1);
  expect(said).toContain(`node/${SECOND_NODE.name} drained`);
});
