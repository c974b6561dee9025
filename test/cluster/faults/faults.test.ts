import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openLoop } from "../../../bench/driver.ts";
import { LABEL } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { sleep, until } from "../../helpers/berth.ts";
import { apiserver, kruise, kubelet, registry, scheduler } from "../machine/daemons.ts";
import { until as daemonUntil, pidOf, start, stop } from "../machine/processes.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

const HELLO = "export default { fetch: () => new Response('hello') };";
/** How many seconds the API server is away; the release check takes 180. */
const OUTAGE_S = Number(process.env.BERTH_OUTAGE_SECONDS ?? 30);

let cluster: ClusterBerth;
beforeAll(async () => {
  if (!pidOf("kruise")) throw new Error("these tests stop and start parts of the cluster of npm run cluster:up: it does not run");
  cluster = await ClusterBerth.start({ poolSize: 3 });
});
afterAll(() => cluster.finish());
beforeEach(() => cluster.berth.prewarmed(3));

async function restart(daemon: typeof kruise): Promise<void> {
  start(daemon);
  if (!(await daemonUntil(daemon.ready, 60_000))) throw new Error(`${daemon.name} did not come back`);
}

describe("without Kruise", () => {
  test("hung: functions start from the pool and serve; the binds are written when it is back", async () => {
    for (let i = 0; i < 3; i++) await cluster.berth.deploy(`hung${i}`, HELLO);
    await sleep(1000);
    process.kill(pidOf("kruise") ?? 0, "SIGSTOP");
    try {
      for (let i = 0; i < 3; i++) {
        const from = performance.now();
        expect(await cluster.text(`hung${i}`)).toBe("200 hello");
        expect(performance.now() - from).toBeLessThan(3000);
      }
      await sleep(6000);
      for (let i = 0; i < 3; i++) expect(await cluster.text(`hung${i}`)).toBe("200 hello");
    } finally {
      process.kill(pidOf("kruise") ?? 0, "SIGCONT");
    }
    for (let i = 0; i < 3; i++) await cluster.bound(`hung${i}`);
    await until(() => cluster.view.balanced(), "every CloneSet counts its pods", 8000);
  });

  test("stopped and started: the pool is filled again", async () => {
    await stop("kruise");
    await cluster.berth.deploy("gone", HELLO);
    expect(await cluster.text("gone")).toBe("200 hello");
    await restart(kruise);
    await cluster.bound("gone");
    await cluster.berth.prewarmed(3);
  });
});

test("without the registry a pool is filled again: a node that has the images asks nobody for them", async () => {
  await stop(registry.name);
  try {
    for (const { metadata } of await cluster.view.instancePods()) if (!metadata.labels?.[LABEL.function]) await cluster.view.deletePod(metadata.name, 0);
    await until(async () => (await cluster.berth.instances()).filter(({ state }) => state === "prewarmed").length < 3, "some are gone");
    await cluster.berth.prewarmed(3);
  } finally {
    await restart(registry);
  }
});

test("a kubelet that restarts restarts nothing", async () => {
  await cluster.berth.deploy("steady", HELLO);
  await cluster.text("steady");
  await cluster.bound("steady");
  const before = await cluster.warm("steady");
  await stop("kubelet");
  expect(await cluster.text("steady")).toBe("200 hello");
  await restart(kubelet);
  await sleep(3000);
  expect(await cluster.text("steady")).toBe("200 hello");
  expect(await cluster.warm("steady")).toMatchObject({ uid: before.uid, epoch: before.epoch });
});

// I11
test(`${OUTAGE_S} s without the API server under load: no warm invocation fails, and new functions start from the pool`, async () => {
  await cluster.berth.api.call("PATCH", "/v1/pools/node", { size: 5 });
  await cluster.berth.prewarmed(5);
  await cluster.berth.deploy("warm", HELLO);
  await cluster.text("warm");
  await cluster.bound("warm");
  for (let i = 0; i < 5; i++) await cluster.berth.deploy(`new${i}`, HELLO);
  await cluster.berth.prewarmed(5);
  await sleep(2000);
  const before = await cluster.warm("warm");
  await stop(apiserver.name);
  const failed: string[] = [];
  const url = `${cluster.berth.berth.invokeUrl}/function/warm`;
  const load = openLoop({
    rate: 50,
    count: 50 * OUTAGE_S,
    shot: () => ({ url }),
    onOutcome: ({ error, status }) => (error || status !== 200) && failed.push(`${status} ${error}`),
  });
  for (let i = 0; i < 5; i++) {
    await sleep((OUTAGE_S * 1000) / 6);
    expect(await cluster.text(`new${i}`)).toBe("200 hello");
  }
  const times = await load;
  expect(failed).toEqual([]);
  process.stdout.write(
    `${times.totalCount} warm invocations in ${OUTAGE_S} s without API server: p50 ${times.getValueAtPercentile(50)} us, p99 ${times.getValueAtPercentile(99)} us\n`,
  );
  await restart(apiserver);
  for (let i = 0; i < 5; i++) await cluster.bound(`new${i}`);
  expect(await cluster.warm("warm")).toMatchObject({ uid: before.uid, epoch: before.epoch });
  await until(() => cluster.view.balanced(), "every CloneSet counts its pods", 8000);
  const instances = await cluster.berth.instances();
  for (let i = 0; i < 5; i++) expect(instances.filter((instance) => instance.function === `new${i}`)).toHaveLength(1);
  // Started again, they need not wait up to a minute until they look whether the server is back.
  for (const { name } of [scheduler, kubelet]) await stop(name);
  for (const daemon of [scheduler, kubelet]) await restart(daemon);
  await until(async () => (await cluster.berth.instances()).filter(({ state }) => state === "prewarmed").length >= 5, "the pool is filled again", 25_000);
}, 400_000);
