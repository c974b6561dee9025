import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sleep, until } from "../../helpers/berth.ts";
import { SteadyLoad } from "../load/steady-load.ts";
import { BIN } from "../machine/install/programs.ts";
import { NODE, SECOND_NODE } from "../machine/layout.ts";
import { loseSecondNode, returnSecondNode, startSecondNode, stopSecondNode } from "../machine/second-node.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";
import { clusterConfig } from "../subject/subject.ts";

const FREE = 4;
const KEPT = 3;
let cluster: ClusterBerth;

const kubectl = (...args: string[]) =>
  promisify(execFile)(BIN.kubectl, ["--kubeconfig", clusterConfig("default").kubeconfig ?? "", ...args], { timeout: 60_000 });
const podsOn = async (node: string) => (await cluster.view.instancePods()).filter(({ spec }) => spec.nodeName === node);
const settled = () =>
  until(
    async () => {
      const rows = await cluster.berth.instances();
      return (
        rows.filter(({ state }) => state === "prewarmed").length === FREE && rows.every(({ state, obstacle }) => state !== "starting" && obstacle === null)
      );
    },
    "the pool is full, and nothing else is left",
    4000,
  );

/** All free instances, and `KEPT` ones of a function, are on the second node. */
beforeAll(async () => {
  await startSecondNode();
  await kubectl("cordon", NODE.name);
  cluster = await ClusterBerth.start({ poolSize: FREE });
  const code = (name: string) => `export default { fetch: () => new Response('${name}') };`;
  await cluster.berth.deploy("kept", code("kept"), { minScale: KEPT, maxScale: 2 * KEPT, concurrency: 10 });
  await until(async () => (await cluster.allWarm("kept")).length === KEPT, "the function has its instances");
  for (const name of ["first", "second"]) await cluster.berth.deploy(name, code(name));
  await cluster.berth.prewarmed(FREE);
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

async function timed(name: string): Promise<number> {
  const since = performance.now();
  expect(await cluster.text(name)).toBe(`200 ${name}`);
  return performance.now() - since;
}

test("a taint that ends pods at once costs no invocation", async () => {
  await kubectl("uncordon", NODE.name);
  const load = new SteadyLoad(cluster.berth.berth.invokeUrl, "kept");
  try {
    await kubectl("taint", "node", SECOND_NODE.name, "test=now:NoExecute");
    await until(async () => (await podsOn(SECOND_NODE.name)).length === 0 && (await cluster.allWarm("kept")).length === KEPT, "all are elsewhere", 4_000);
  } finally {
    await kubectl("taint", "node", SECOND_NODE.name, "test-");
    expect(await load.end()).toEqual([]);
  }
  await settled();
}, 120_000);

test("a node without power costs new functions some seconds, though pods are placed on it until Kubernetes notices", async () => {
  await kubectl("cordon", NODE.name);
  await until(async () => (await podsOn(SECOND_NODE.name)).length >= FREE + KEPT, "all are on the second node", 4_000);
  await settled();
  await loseSecondNode();
  try {
    await until(
      async () => (await podsOn(SECOND_NODE.name)).some(({ status }) => status.podIP === undefined),
      "a pod that makes up for a lost one is placed there",
      2_000,
    );
    await kubectl("uncordon", NODE.name);
    const tookMs = await timed("first");
    process.stdout.write(`a new function waits ${Math.round(tookMs)} ms while pods are placed on a node that is away\n`);
    expect(tookMs).toBeLessThan(15_000);
    expect(await timed("kept")).toBeLessThan(15_000);
  } finally {
    await kubectl("uncordon", NODE.name);
    await returnSecondNode();
  }
  await settled();
}, 180_000);

test("a node that is taken out of the cluster leaves no instance behind, and nobody waits for its pods", async () => {
  await loseSecondNode();
  try {
    await kubectl("delete", "node", SECOND_NODE.name);
    await sleep(6000);
    expect(await timed("second")).toBeLessThan(15_000);
    await until(async () => (await podsOn(SECOND_NODE.name)).length === 0, "Kubernetes has removed its pods", 10_000);
  } finally {
    await returnSecondNode();
  }
  await settled();
  expect(await timed("kept")).toBeLessThan(1000);
}, 240_000);
