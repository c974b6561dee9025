import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import type { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { BIN } from "../machine/install/programs.ts";

const RENDER_MS = 30_000;

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
}

/** The chart's text for a namespace; `args` are further ones of `helm template`. */
export async function renderChart(namespace: string, ...args: string[]): Promise<string> {
  const own = ["template", "berth", "deploy/chart", "--namespace", namespace, "--kube-version", "1.34.0", "--values", "deploy/manifests.values.yaml"];
  return (await promisify(execFile)(BIN.helm, [...own, ...args], { timeout: RENDER_MS })).stdout;
}

export function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => (document.toJS() as Manifest | null) ?? []);
}

/** Server-side apply; `dryRun`: the API server admits it without keeping it. */
export async function applyManifest(kube: KubeClient, object: Manifest, dryRun = false): Promise<void> {
  const path = await pathOf(kube, object);
  await kube.patch(path, "apply", object, "other", { fieldManager: "plain", force: "true", ...(dryRun && { dryRun: "All" }) });
}

export async function pathOf(kube: KubeClient, { apiVersion, kind, metadata }: Manifest): Promise<string> {
  const base = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { resources } = await kube.get<{ resources: { name: string; kind: string; namespaced: boolean }[] }>(base);
  const resource = resources.find((one) => one.kind === kind && !one.name.includes("/"));
  if (!resource) throw new Error(`the cluster knows no ${kind}`);
  return `${base}${resource.namespaced ? `/namespaces/${kube.namespace}` : ""}/${resource.name}/${metadata.name}`;
}
