import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { definitions, RESOURCES } from "../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import { DEFINITIONS } from "../../../pool-manager/stores/kubernetes/definitions/definition-watch.ts";
import type { FunctionResource, FunctionResourceSpec } from "../../../pool-manager/stores/kubernetes/function-resource.ts";
import { sleep, until } from "../../helpers/berth.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

const says = (text: string) => `export default { fetch: () => new Response("${text} " + (process.env.WHO ?? "nobody")) };`;
const DAY_MS = 86_400_000;

let cluster: ClusterBerth;
beforeEach(async () => {
  cluster = await ClusterBerth.start({ poolSize: 1 });
});
afterEach(() => cluster.finish());

const path = (kind: string, name = "") => `${RESOURCES}/namespaces/${cluster.namespace}/${kind}${name && `/${name}`}`;
const resource = (name: string) => cluster.view.kube.get<FunctionResource>(path("functions", name));
const specs = async () =>
  new Map((await cluster.view.kube.get<{ items: FunctionResource[] }>(path("functions"))).items.map((one) => [one.metadata.name, one.spec]));
/** Creates the resource as `kubectl create -f` does with a file from Git. */
const create = (name: string, spec: FunctionResourceSpec) =>
  cluster.view.kube.create(path("functions"), { apiVersion: "berth.dev/v1alpha1", kind: "Function", metadata: { name }, spec });
const answers = (name: string, what: string, ms?: number) => until(async () => (await cluster.text(name)) === `200 ${what}`, `${name} answers "${what}"`, ms);
const accepted = async (name: string) => (await resource(name)).status?.conditions?.find(({ type }) => type === "Accepted");

async function bound(names: readonly string[]): Promise<string[]> {
  for (const name of names) {
    await cluster.text(name);
    await cluster.bound(name);
  }
  return (await cluster.view.functionPods()).map(({ metadata }) => metadata.uid).sort();
}

async function events(manageUrl: string): Promise<{ types: string[]; close(): void }> {
  const abort = new AbortController();
  const response = await fetch(`${manageUrl}/v1/events`, { signal: abort.signal });
  const types: string[] = [];
  const read = async () => {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      for (const [, json] of Buffer.from(chunk)
        .toString("utf8")
        .matchAll(/^data: ?(.*)$/gm)) {
        const { type, topic } = JSON.parse(json as string) as { type: string; topic?: string };
        types.push(topic ? `${type} ${topic}` : type);
      }
    }
  };
  read().catch(() => {});
  return { types, close: () => abort.abort() };
}

describe("resources that come back without their status", () => {
  test("are the functions that they were: pods, code images and blobs stay, and each serves as before", async () => {
    await cluster.berth.deploy("a", says("a"));
    await cluster.berth.deploy("b", says("b"), { secrets: { WHO: "secret" } });
    const pods = await bound(["a", "b"]);
    const tags = await cluster.imageTags();
    const before = await specs();
    await cluster.berth.close();
    for (const name of before.keys()) await cluster.view.kube.delete(path("functions", name));
    // Half of it is there when the next one starts, the other half comes later.
    await create("a", before.get("a") as FunctionResourceSpec);
    cluster = await cluster.again({ poolSize: 1 }, mkdtempSync(join(tmpdir(), "berth-test-")));
    await answers("a", "a nobody");
    await sleep(3000);
    await create("b", before.get("b") as FunctionResourceSpec);
    await answers("b", "b secret");
    expect(await cluster.imageTags()).toEqual(tags);
    expect((await cluster.view.functionPods()).map(({ metadata }) => metadata.uid).sort()).toEqual(pods);
    expect([(await accepted("a"))?.status, (await accepted("b"))?.status]).toEqual(["True", "True"]);
    // A deployment after that makes another revision than any that an instance may have.
    await cluster.view.kube.patch(path("functions", "a"), "merge", { spec: { code: { digest: null, files: { "index.mjs": says("new") } } } });
    await answers("a", "new nobody");
    expect(Number((await resource("a")).status?.latest?.slice(1))).toBeGreaterThan(10);
  });

  test("find their code in the registry, after a deletion too, whether this process remembers it or not", async () => {
    await cluster.berth.deploy("a", says("a"));
    const { spec } = await resource("a");
    await cluster.view.kube.delete(path("functions", "a"));
    await until(async () => (await cluster.text("a")).startsWith("404"), "it is gone");
    await sleep(1000);
    await create("a", spec);
    await answers("a", "a nobody");
    await cluster.view.kube.delete(path("functions", "a"));
    await until(async () => (await cluster.text("a")).startsWith("404"), "it is gone again");
    await cluster.berth.close();
    cluster = await cluster.again({ poolSize: 1 }, mkdtempSync(join(tmpdir(), "berth-test-")));
    await create("a", spec);
    await answers("a", "a nobody");
  });
});

test("what was deleted goes after its grace, and what nothing refers to after its retention, each told by an event", async () => {
  await cluster.berth.close();
  cluster = await cluster.again({ poolSize: 1, retention: { graceMs: 0, unusedMs: DAY_MS } }, mkdtempSync(join(tmpdir(), "berth-test-")));
  const told = await events(cluster.berth.berth.manageUrl);
  await cluster.berth.deploy("a", says("a"));
  await cluster.berth.deploy("kept", says("kept"));
  await cluster.berth.api.call("DELETE", "/v1/functions/a");
  await until(async () => (await cluster.imageTags()).length === 1, "its image goes");
  await until(() => told.types.includes("image.collected"), "it is told");
  told.close();
});

test("a definition that is deleted ends no function; each resource is written again as soon as there is one", async () => {
  await cluster.berth.deploy("a", says("a"), { secrets: { WHO: "secret" } });
  await create("b", { code: { files: { "index.mjs": says("b") } }, env: { WHO: "env" } });
  await answers("b", "b env");
  const pods = await bound(["a", "b"]);
  const before = await resource("b");
  const told = await events(cluster.berth.berth.manageUrl);
  const { kube } = cluster.view;
  const count = async (kind: string) => (await kube.get<{ items: object[] }>(path(kind))).items.length;
  const pools = await count("pools");
  const all = definitions() as { metadata: { name: string } }[];
  try {
    for (const { metadata } of all) {
      await kube.patch(`${DEFINITIONS}/${metadata.name}`, "merge", { metadata: { labels: { "policy.kruise.io/delete-protection": null } } });
      await kube.delete(`${DEFINITIONS}/${metadata.name}`);
    }
    const gone = () =>
      kube.get(path("functions")).then(
        () => false,
        (error: KubeError) => error.status === 404,
      );
    await until(gone, "the kind is not served any more");
    for (let i = 0; i < 20; i++) {
      expect([await cluster.text("a"), await cluster.text("b")]).toEqual(["200 a secret", "200 b env"]);
      await sleep(200);
    }
    await until(() => told.types.includes("store.notice missing"), "it is told");
  } finally {
    for (const definition of all)
      await kube.patch(`${DEFINITIONS}/${definition.metadata.name}`, "apply", definition, "other", { fieldManager: "berth", force: "true" });
  }
  // For some seconds after a definition has come back the server may answer that its storage is being initialized.
  const isSo = (check: () => Promise<boolean>) => () => check().catch(() => false);
  await until(
    isSo(async () => (await count("functions")) === 2),
    "both are there again",
    30_000,
  );
  const areAccepted = async () => (await accepted("b"))?.status === "True" && (await accepted("a"))?.status === "True";
  await until(isSo(areAccepted), "with their status", 30_000);
  await until(
    isSo(async () => (await count("pools")) === pools),
    "and those of pools",
    30_000,
  );
  const after = await resource("b");
  expect([after.spec, after.status?.uid]).toEqual([before.spec, before.status?.uid]);
  expect(after.metadata.managedFields?.map(({ manager }) => manager)).toEqual(
    expect.arrayContaining(before.metadata.managedFields?.slice(0, 1).map(({ manager }) => manager) ?? []),
  );
  expect([await cluster.text("a"), await cluster.text("b")]).toEqual(["200 a secret", "200 b env"]);
  expect((await cluster.view.functionPods()).map(({ metadata }) => metadata.uid).sort()).toEqual(pods);
  told.close();
  // The API can still change the fields that the API has set.
  await cluster.berth.deploy("a", says("changed"), { secrets: { WHO: "secret" } });
  await answers("a", "changed secret");
  // A deletion that is meant still is one. An object that is deleted while the server begins its watches anew is written again and told: then it is deleted again.
  const isGone = async () => {
    await kube.delete(path("functions", "b")).catch(({ status }: KubeError) => expect([404, 429]).toContain(status));
    return (await cluster.text("b")).startsWith("404");
  };
  await until(isGone, "b is gone", 6000);
});

test("a Secret may come after its function, and a changed one makes the next revision", async () => {
  const { kube } = cluster.view;
  const secrets = `/api/v1/namespaces/${cluster.namespace}/secrets`;
  await create("late", { code: { files: { "index.mjs": says("I am") } }, secretRef: "s" });
  await until(async () => (await accepted("late"))?.reason === "SECRET_NOT_FOUND", "it says what it waits for");
  await kube.create(secrets, { metadata: { name: "s" }, stringData: { WHO: "one" } });
  await answers("late", "I am one", 30_000);
  await until(async () => (await accepted("late"))?.status === "True", "it is accepted");
  await kube.patch(`${secrets}/s`, "merge", { stringData: { WHO: "two" } });
  await answers("late", "I am two", 30_000);
  expect((await resource("late")).status?.latest).toBe("r2");
});
