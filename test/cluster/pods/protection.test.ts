import { afterAll, beforeAll, expect, test } from "vitest";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { CLONESETS } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { until } from "../../helpers/berth.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

let cluster: ClusterBerth;
beforeAll(async () => {
  cluster = await ClusterBerth.start({ poolSize: 3 });
  await cluster.berth.deploy("kept", "export default { fetch: () => new Response('kept') };", { minScale: 6, maxScale: 6 });
  await until(async () => (await cluster.view.functionPods()).length === 6, "six pods are the function's", 5000);
  await cluster.berth.prewarmed(3);
});
afterAll(() => cluster.finish());

const outcome = (call: Promise<unknown>) =>
  call.then(
    () => "done",
    ({ status, message }: KubeError) => `${status} ${message}`,
  );

test("nobody deletes a CloneSet that has pods", async () => {
  const sets = await cluster.view.sets();
  expect(sets.length).toBe(2);
  for (const { metadata } of sets) {
    const refused = await outcome(cluster.view.kube.delete(`${CLONESETS}/namespaces/${cluster.namespace}/clonesets/${metadata.name}`));
    expect(refused).toMatch(/^403 .*ResourcesProtectionDeletion/);
  }
});

const WAYS = [
  // With 429, on which a drain waits and tries again.
  ["evicts", "policy/v1", "poddisruptionbudgets", "disruptionsAllowed", /^429 .*[Bb]udget/],
  ["deletes", "policy.kruise.io/v1alpha1", "podunavailablebudgets", "unavailableAllowed", /^403 .*[Bb]udget/],
] as const;

/**
 * The fewest of the function's instances that served at any time until `during` has ended, and once after it. A pod that
 * has taken another's place serves while Kruise swaps its code image, though it is not Ready for that moment.
 */
async function fewestServing(during: Promise<unknown>): Promise<number> {
  let ended = false;
  const end = during.finally(() => {
    ended = true;
  });
  let fewest = Number.POSITIVE_INFINITY;
  for (let last = false; !last; ) {
    last = ended;
    fewest = Math.min(fewest, (await cluster.berth.instances()).filter((row) => row.function === "kept" && row.state === "warm").length);
  }
  await end;
  return fewest;
}

test.each(WAYS)("who %s all of the functions' instances at once gets a fifth at a time, and functions go on", async (way, group, budgets, allows, refusal) => {
  const budget = `/apis/${group}/namespaces/${cluster.namespace}/${budgets}/berth-instances`;
  const allowed = async () => (await cluster.view.kube.get<{ status?: Record<string, number> }>(budget)).status?.[allows] ?? 0;
  // Kruise does not count pods as available for some seconds after a swap.
  await until(async () => (await allowed()) === 1, "the budget allows a fifth, rounded down", 5000);
  const ours = await cluster.view.functionPods();
  expect(ours.length).toBe(6);
  const path = (name: string) => `/api/v1/namespaces/${cluster.namespace}/pods/${name}`;
  const burst = Promise.all(
    ours.map(({ metadata: { name, namespace } }) => {
      const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
      return outcome(way === "deletes" ? cluster.view.kube.delete(path(name)) : cluster.view.kube.create(`${path(name)}/eviction`, eviction));
    }),
  );
  // The API server tries an eviction that meets another one again after half a second, when the first pod
  // may have been replaced: more than one of six can succeed, one after the other.
  expect(await fewestServing(burst)).toBe(5);
  const outcomes = await burst;
  const refusals = outcomes.filter((one) => one !== "done");
  expect(refusals.length, outcomes.join("\n")).toBeGreaterThan(0);
  for (const refused of refusals) expect(refused).toMatch(refusal);
  for (let i = 0; i < 20; i++) expect(await cluster.text("kept")).toBe("200 kept");
  await until(async () => (await cluster.view.functionPods()).length === 6, "what went is replaced", 5000);
  await cluster.berth.prewarmed(3);
});

test("what Berth itself removes is not held up by it: a deleted function's pods go, and its CloneSet", async () => {
  await cluster.berth.api.call("DELETE", "/v1/functions/kept");
  await until(async () => (await cluster.view.functionSets()).length === 0, "its CloneSet is gone", 8000);
  expect((await cluster.view.functionPods()).length).toBe(0);
});
