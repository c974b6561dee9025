import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClusterView } from "../subject/cluster-view.ts";
import { applyManifest, manifestsOf, renderChart } from "../subject/manifest.ts";
import { freshNamespace } from "../subject/subject.ts";

let view: ClusterView;
beforeAll(async () => {
  view = await ClusterView.open(freshNamespace());
  await view.kube.create("/api/v1/namespaces", { metadata: { name: view.namespace } });
});
afterAll(async () => {
  await view.kube.delete(`/api/v1/namespaces/${view.namespace}`);
  view.close();
});

describe("the chart", () => {
  const render = (...args: string[]) => renderChart("berth", "--include-crds", "--no-hooks", ...args);

  test("renders the plain manifests, and the API server takes each of them", async () => {
    const rendered = await render();
    expect(readFileSync("deploy/manifests.yaml", "utf8")).toBe(rendered);
    const objects = manifestsOf(rendered);
    expect(objects.length).toBeGreaterThan(15);
    for (const object of objects) await applyManifest(view.kube, object, true);
  });

  test("has monitoring for those who ask, and says what is wrong with values", async () => {
    const kinds = (text: string) => manifestsOf(text).map(({ kind }) => kind);
    expect(kinds(await render())).not.toContain("ServiceMonitor");
    const monitored = kinds(await render("--set", "monitoring.serviceMonitor=true,monitoring.dashboard=true"));
    expect(monitored.filter((kind) => kind === "ServiceMonitor" || kind === "ConfigMap")).toEqual(["ConfigMap", "ServiceMonitor", "ServiceMonitor"]);
    const [manager] = manifestsOf(await render("--show-only", "templates/manager.yaml", "--set", "registry.caConfigMap=authority")).slice(-1);
    expect(JSON.stringify(manager)).toMatch(/"NODE_EXTRA_CA_CERTS","value":"\/etc\/berth-ca\/ca.crt".*"configMap":\{"name":"authority"/);
    const [withSecret] = manifestsOf(await render("--show-only", "templates/manager.yaml", "--set", "registry.credentialsSecret=pusher")).slice(-1);
    expect(JSON.stringify(withSecret)).toMatch(/"BERTH_REGISTRY_CREDENTIALS","value":"\/etc\/berth-registry".*"secretName":"pusher"/);
    await expect(render("--set", "images.berth=berth:latest")).rejects.toThrow(/images.berth|\/images\/berth/);
    await expect(render("--set", "manager.replica=3")).rejects.toThrow(/replica/);
  });
});
