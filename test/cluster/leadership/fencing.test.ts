import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { ANNOTATION, CLONESETS } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { until } from "../../helpers/berth.ts";
import { newCloneSet } from "../../helpers/builders/objects.ts";
import { apiserver } from "../machine/daemons.ts";
import { settled, start, stop } from "../machine/processes.ts";
import { applyManifest, manifestsOf, pathOf, renderChart } from "../subject/manifest.ts";
import { asServiceAccount } from "../subject/service-account.ts";
import { clusterConfig, freshNamespace } from "../subject/subject.ts";

const namespace = freshNamespace();
const POD = `/api/v1/namespaces/${namespace}/pods/fenced`;
const SET = `${CLONESETS}/namespaces/${namespace}/clonesets/fenced`;
let admin: KubeClient;
let manager: KubeClient;
const policies: string[] = [];

/** The template of pods that no node accepts: only the API server sees them. */
const template = { nodeSelector: { nowhere: "true" }, containers: [{ name: "c", image: "none" }] };

beforeAll(async () => {
  admin = await KubeClient.connect(clusterConfig(namespace).kubeconfig, namespace);
  await admin.create("/api/v1/namespaces", { metadata: { name: namespace } });
  await admin.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: "berth-manager" } });
  await admin.create(POD.replace(/\/fenced$/, ""), { metadata: { name: "fenced" }, spec: template });
  const labels = { app: "fenced" };
  const spec = { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: template } };
  await admin.create(SET.replace(/\/fenced$/, ""), newCloneSet("fenced", { spec }));
  const only = ["fencing", "rbac"].flatMap((name) => ["--show-only", `templates/${name}.yaml`]);
  for (const object of manifestsOf(await renderChart(namespace, ...only))) {
    if (object.kind.startsWith("Cluster")) continue;
    await applyManifest(admin, object);
    if (object.kind.startsWith("Validating")) policies.push(await pathOf(admin, object));
  }
  manager = await asServiceAccount(admin, "berth-manager");
  await until(() => isFenced(POD), "the policy is in force", 3000);
}, 60_000);
afterAll(async () => {
  for (const path of policies) await admin.delete(path);
  await admin.delete(`/api/v1/namespaces/${namespace}`);
  for (const kube of [admin, manager]) kube.close();
});

/** Puts a term onto an object; null takes it away. */
const write = (kube: KubeClient, path: string, term: string | null) =>
  kube.patch(path, "merge", { metadata: { annotations: { [ANNOTATION.term]: term } } }).then(
    () => "written",
    ({ message }: KubeError) => message,
  );

async function isFenced(path: string): Promise<boolean> {
  expect(await write(admin, path, "2")).toBe("written");
  return (await write(manager, path, "1")).includes("a later leader has written to it");
}

// I6
describe.each([
  ["a pod", POD],
  ["a CloneSet", SET],
])("%s", (_what, path) => {
  test.each([
    ["5", "4", "refused"],
    ["10", "9", "refused"],
    ["5", "5", "written"],
    ["9", "10", "written"],
    [null, "1", "written"],
    ["5", null, "written"],
    ["abc", "1", "written"],
    ["5", "abc", "written"],
    ["", "1", "written"],
    ["-3", "1", "written"],
    ["99999999999999999999", "1", "written"],
    ["7/of-a-later-version", "1", "written"],
  ])("with the term %s: that of a pool manager in term %s is %s; anybody else's is written", async (before, term, outcome) => {
    expect(await write(admin, path, before)).toBe("written");
    expect(await write(manager, path, term)).toMatch(outcome === "refused" ? /a later leader has written to it/ : /^written$/);
    expect(await write(admin, path, before)).toBe("written");
    // Written as the policy is not asked at all: without a term of its own.
    const label = { metadata: { labels: { seen: `${Date.now()}` } } };
    for (const kube of [admin, manager]) await kube.patch(path, "merge", label);
    expect(await write(admin, path, term)).toBe("written");
  });
});

test.each([1, 2])("after restart %i of the API server nobody else's write is refused, from its first answer until the policy is in force again", async () => {
  await stop(apiserver.name);
  start(apiserver);
  const denied: string[] = [];
  let writes = 0;
  const other = () =>
    admin.patch(POD, "merge", { metadata: { labels: { seen: `${writes}` } } }).then(
      () => {
        writes += 1;
      },
      ({ status, message }: KubeError) => {
        // No answer yet, or none of a policy: the API server is still starting.
        if (status === 403 || status === 422) denied.push(message);
      },
    );
  await until(async () => {
    await other();
    return writes > 0;
  }, "it takes writes");
  await settled(apiserver);
  await until(
    async () => {
      await other();
      return isFenced(POD);
    },
    "the policy is in force again",
    6000,
  );
  expect(denied).toEqual([]);
});
