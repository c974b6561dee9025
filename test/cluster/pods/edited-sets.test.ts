import { afterAll, beforeAll, expect, test } from "vitest";
import type { CloneSet } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { sleep, until } from "../../helpers/berth.ts";
import { SteadyLoad } from "../load/steady-load.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

const KEPT = 3;
const FREE = 2;
let cluster: ClusterBerth;

beforeAll(async () => {
  cluster = await ClusterBerth.start({ poolSize: FREE });
  await cluster.berth.deploy("kept", "export default { fetch: () => new Response('kept') };", { minScale: KEPT, maxScale: KEPT, concurrency: 10 });
  await until(async () => (await cluster.view.functionPods()).length === KEPT, "the function's instances are bound");
  await cluster.berth.prewarmed(FREE);
}, 120_000);
afterAll(() => cluster.finish(), 120_000);

const setOf = async (kind: "fn" | "pool"): Promise<CloneSet> =>
  (await cluster.view.sets()).find(({ metadata }) => metadata.name.startsWith(`${kind}-`)) as CloneSet;
const runtimeOf = ({ spec }: CloneSet) => spec.template.spec.containers.find(({ name }) => name === "runtime")?.image;
const uids = async () => (await cluster.view.functionPods()).map(({ metadata }) => metadata.uid).sort();

/** Edits under load, and expects that no invocation fails and every pod stays. */
async function harmless(edit: () => Promise<unknown>, mended: () => Promise<boolean>): Promise<void> {
  const before = await uids();
  const load = new SteadyLoad(cluster.berth.berth.invokeUrl, "kept");
  try {
    await edit();
    await until(mended, "it is as it was");
    await sleep(3000);
  } finally {
    expect(await load.end()).toEqual([]);
  }
  expect(await uids()).toEqual(before);
  expect((await cluster.view.functionPods()).every(({ status }) => status.containerStatuses?.find(({ name }) => name === "runtime")?.restartCount === 0)).toBe(
    true,
  );
}

test("another runtime image in the template of a function's CloneSet restarts nothing, and is put back", async () => {
  const set = await setOf("fn");
  const image = runtimeOf(set);
  const containers = set.spec.template.spec.containers.map((one) => (one.name === "runtime" ? { ...one, image: "busybox:1" } : one));
  await harmless(
    () => cluster.view.editSet(set.metadata.name, { spec: { template: { spec: { containers } } } }),
    async () => runtimeOf(await setOf("fn")) === image,
  );
});

test("another function in the label of a function's CloneSet ends nothing, and is put back", async () => {
  const { metadata } = await setOf("fn");
  const label = metadata.labels?.["berth.dev/function"];
  await harmless(
    () => cluster.view.editSet(metadata.name, { metadata: { labels: { "berth.dev/function": "oops" } } }),
    async () => (await setOf("fn")).metadata.labels?.["berth.dev/function"] === label,
  );
});

test.each(["fn", "pool"] as const)("a %s CloneSet without labels, annotations and strategies is written to as before", async (kind) => {
  const { metadata } = await setOf(kind);
  await harmless(
    () => cluster.view.editSet(metadata.name, { metadata: { labels: null, annotations: null }, spec: { scaleStrategy: null, updateStrategy: null } }),
    async () => {
      const { metadata, spec } = await setOf(kind);
      return metadata.labels?.["berth.dev/pool"] === "node" && spec.scaleStrategy?.maxUnavailable === 0;
    },
  );
  const grown = FREE + (kind === "fn" ? 1 : 2);
  await cluster.berth.api.call("PATCH", "/v1/pools/node", { size: grown });
  await cluster.berth.prewarmed(grown);
});
