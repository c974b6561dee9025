import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CliError } from "../../../cli/errors.ts";
import { ManageClient } from "../../../cli/manage-client.ts";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { RESOURCES } from "../../../pool-manager/stores/kubernetes/definitions/crds.ts";
import type { FunctionResource } from "../../../pool-manager/stores/kubernetes/function-resource.ts";
import type { PoolResource } from "../../../pool-manager/stores/kubernetes/pool-resources.ts";
import { until } from "../../helpers/berth.ts";
import { ClusterBerth } from "../subject/berth-on-cluster.ts";

let cluster: ClusterBerth;
beforeAll(async () => {
  cluster = await ClusterBerth.start({ poolSize: 2 });
});
afterAll(() => cluster.finish());

const path = (kind: string, name: string) => `${RESOURCES}/namespaces/${cluster.namespace}/${kind}/${name}`;
const fetched = <T>(kind: string, name: string) => cluster.view.kube.get<T>(path(kind, name));
const says = (text: string) => ({ files: { "index.mjs": `export default { fetch: () => new Response("${text} " + process.env.WHO) };` } });

/** Applies as `kubectl apply --server-side` does. */
async function apply(name: string, spec: object, kind = "Function"): Promise<void> {
  const body = { apiVersion: "berth.dev/v1alpha1", kind, metadata: { name }, spec };
  await cluster.view.kube.patch(path(`${kind.toLowerCase()}s`, name), "apply", body, "other", { fieldManager: "kubectl", force: "false" });
}

/** The condition `Accepted` of the newest generation. */
async function accepted(name: string): Promise<{ status: string; reason: string; message: string }> {
  let found: { status: string; reason: string; message: string } | undefined;
  await until(async () => {
    const { metadata, status } = await fetched<FunctionResource>("functions", name);
    found = status?.conditions?.find((one) => one.type === "Accepted" && one.observedGeneration === metadata.generation);
    return found !== undefined;
  }, `${name} was looked at`);
  return found as { status: string; reason: string; message: string };
}

/** Routers know an accepted declaration a moment later. */
const answers = (name: string, what: string) => until(async () => (await cluster.text(name)) === `200 ${what}`, `${name} answers "${what}"`);

async function refusal(call: Promise<unknown>): Promise<{ code: string; message: string }> {
  const { code, message } = await call.then(
    () => {
      throw new Error("it was not refused");
    },
    (error: CliError) => error,
  );
  return { code, message };
}

describe("a function that is declared as a resource", () => {
  test("runs, takes each change in place, and is shown with its revision and its condition", async () => {
    await apply("declared", { code: says("one"), env: { WHO: "ada" } });
    expect(await accepted("declared")).toMatchObject({ status: "True", message: "r1 is active" });
    await answers("declared", "one ada");
    const { uid } = await cluster.warm("declared");
    await apply("declared", { code: says("two"), env: { WHO: "ada" } });
    await until(async () => (await cluster.text("declared")) === "200 two ada", "the new code answers");
    expect((await cluster.warm("declared")).uid).toBe(uid);
    await until(async () => {
      const { status } = await fetched<FunctionResource>("functions", "declared");
      return status?.active === "r2" && status.warm === 1 && (status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false);
    }, "its status says so");
  });

  test("may be changed by the API where nobody else has said anything, and keeps what each has said", async () => {
    const { api } = cluster.berth;
    await api.call("PATCH", "/v1/functions/declared", { maxScale: 3 });
    expect((await fetched<FunctionResource>("functions", "declared")).spec).toMatchObject({ maxScale: 3, env: { WHO: "ada" } });
    await apply("declared", { code: says("two"), env: { WHO: "bob" }, concurrency: 7 });
    await until(async () => (await cluster.text("declared")) === "200 two bob", "the change is in force");
    expect(await api.get("/v1/functions/declared")).toMatchObject({ maxScale: 3, concurrency: 7 });
    const { code, message } = await refusal(api.call("PATCH", "/v1/functions/declared", { concurrency: 9 }));
    expect(code).toBe("FIELD_OWNED");
    expect(message).toContain("kubectl");
    expect(await api.get("/v1/functions/declared")).toMatchObject({ concurrency: 7 });
    // A manager that declares fields of the API takes them over only by force.
    const taken = await apply("declared", { code: says("two"), env: { WHO: "bob" }, concurrency: 7, maxScale: 4 }).catch((error: KubeError) => error.status);
    expect(taken).toBe(409);
  });

  test("is refused by the schema, or by a condition that says how to mend it; what is in force stays", async () => {
    const invalid = async (spec: object) => (await apply("declared", { code: says("two"), ...spec }).catch((error: KubeError) => error))?.message ?? "accepted";
    expect(await invalid({ concurrency: 0 })).toContain("spec.concurrency");
    expect(await invalid({ minScale: 500 })).toContain("minScale is above maxScale");
    expect(await invalid({ code: { ...says("two"), digest: `sha256:${"0".repeat(64)}` } })).toContain("give digest or files");
    await apply("declared", { code: says("two"), env: { WHO: "bob" }, timeout: "99h" });
    expect(await accepted("declared")).toMatchObject({ status: "False", reason: "MANIFEST_INVALID", message: expect.stringContaining("timeout") });
    await apply("declared", { code: { files: { "main.mjs": "" } }, env: { WHO: "bob" } });
    expect(await accepted("declared")).toMatchObject({ status: "False", reason: "CODE_INVALID", message: expect.stringContaining("index.mjs") });
    expect(await cluster.text("declared")).toBe("200 two bob");
    await apply("declared", { code: says("three"), env: { WHO: "bob" } });
    expect(await accepted("declared")).toMatchObject({ status: "True" });
    await until(async () => (await cluster.text("declared")) === "200 three bob", "the mended one answers");
  });

  test("stays where a rollback has put it until somebody says otherwise", async () => {
    await cluster.berth.api.call("POST", "/v1/functions/declared/rollback", { revision: "r1" });
    await until(async () => (await cluster.text("declared")) === "200 one ada", "the old code answers");
    expect((await fetched<FunctionResource>("functions", "declared")).spec.traffic).toEqual({ active: "r1" });
    await apply("declared", { code: says("four"), env: { WHO: "bob" } });
    expect((await accepted("declared")).message).toMatch(/^r1 is active \(spec.traffic.active\); r\d+ gets/);
    expect(await cluster.text("declared")).toBe("200 one ada");
    const { latest } = (await fetched<FunctionResource>("functions", "declared")).status ?? {};
    await cluster.berth.api.call("PUT", "/v1/functions/declared/traffic", { active: latest });
    await until(async () => (await cluster.text("declared")) === "200 four bob", "the newest answers");
    expect((await fetched<FunctionResource>("functions", "declared")).spec.traffic).toBeUndefined();
  });

  test("takes its secrets from a Secret, and shows them nowhere", async () => {
    const { kube } = cluster.view;
    await kube.create(`/api/v1/namespaces/${cluster.namespace}/secrets`, { metadata: { name: "token" }, stringData: { WHO: "from-a-secret" } });
    await apply("secretive", { code: says("I am"), secretRef: "token" });
    await accepted("secretive");
    await answers("secretive", "I am from-a-secret");
    expect(JSON.stringify(await fetched("functions", "secretive"))).not.toContain("from-a-secret");
    await apply("unready", { code: says("I am"), secretRef: "none" });
    expect(await accepted("unready")).toMatchObject({
      status: "False",
      reason: "SECRET_NOT_FOUND",
      message: expect.stringContaining("there is no Secret none"),
    });
  });

  test("is gone with its resource, and its resource with it", async () => {
    await cluster.view.kube.delete(path("functions", "declared"));
    await until(async () => (await cluster.text("declared")).startsWith("404"), "it is not served");
    await cluster.berth.deploy("deployed", "export default { fetch: () => new Response('deployed') };");
    expect((await fetched<FunctionResource>("functions", "deployed")).spec.code?.digest).toMatch(/^sha256:/);
    await cluster.berth.api.call("DELETE", "/v1/functions/deployed");
    expect(await fetched("functions", "deployed").catch((error: KubeError) => error.status)).toBe(404);
    await apply("deployed", { code: says("another") });
    await until(async () => (await cluster.text("deployed")) === "200 another undefined", "the same name is another function");
  });
});

test("a pool is sized by its resource, its scale, and the API; each keeps to its own", async () => {
  const { api } = cluster.berth;
  const size = async () => ((await api.get("/v1/pools/node")) as { size: number }).size;
  await cluster.view.kube.patch(`${path("pools", "node")}/scale`, "merge", { spec: { replicas: 3 } });
  await until(async () => (await size()) === 3, "the scale is in force");
  await cluster.berth.prewarmed(3);
  await until(async () => (await fetched<PoolResource>("pools", "node")).status?.replicas === 3, "its status has the free ones");
  await api.call("PATCH", "/v1/pools/node", { paused: true });
  expect((await fetched<PoolResource>("pools", "node")).spec).toMatchObject({ size: 3, paused: true });
  await api.call("PATCH", "/v1/pools/node", { paused: false });
  await apply("node", { size: 200, max: 100 }, "Pool");
  await until(async () => {
    const conditions = (await fetched<PoolResource>("pools", "node")).status?.conditions;
    return conditions?.some(({ type, status, message }) => type === "Accepted" && status === "False" && message.includes("size: 200")) ?? false;
  }, "what cannot be is refused");
  expect(await size()).toBe(3);
  await apply("node", { size: 2, max: 100 }, "Pool");
  await until(async () => (await size()) === 2, "it is mended");
  expect((await refusal(api.call("PATCH", "/v1/pools/node", { size: 1 }))).code).toBe("FIELD_OWNED");
});

test("another pool manager, with an empty state directory, finds functions, secrets, sizes, code, and what was declared meanwhile", async () => {
  await cluster.berth.deploy("kept", "export default { fetch: () => new Response(process.env.TOKEN) };", { secrets: { TOKEN: "shh" } });
  expect(await cluster.text("kept")).toBe("200 shh");
  await cluster.berth.api.call("PUT", "/v1/functions/kept/traffic", { aliases: { stable: "r1" } });
  expect(JSON.stringify(await fetched("functions", "kept"))).not.toContain("shh");
  await cluster.bound("kept");
  await cluster.berth.close();
  await apply("meanwhile", { code: says("declared"), env: { WHO: "alone" } });
  await cluster.view.kube.delete(path("functions", "secretive"));
  cluster = await cluster.again({ poolSize: 9 }, mkdtempSync(join(tmpdir(), "berth-test-")));
  const api = new ManageClient(cluster.berth.berth.manageUrl);
  expect(await api.get("/v1/functions/kept")).toMatchObject({ secrets: ["TOKEN"], aliases: { stable: "r1" } });
  expect(await api.get("/v1/pools/node")).toMatchObject({ size: 2 });
  expect(await cluster.text("kept")).toBe("200 shh");
  await accepted("meanwhile");
  await answers("meanwhile", "declared alone");
  expect(await cluster.text("secretive")).toMatch(/^404/);
  await api.call("PATCH", "/v1/functions/kept", { env: { MORE: "x" } });
  expect(await cluster.text("kept")).toBe("200 shh");
});
