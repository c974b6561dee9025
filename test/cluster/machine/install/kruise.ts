import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { KubeClient } from "../../../../pool-manager/kubernetes/client.ts";
import type { KubeError } from "../../../../pool-manager/kubernetes/error.ts";
import { until } from "../processes.ts";
import { moduleDir } from "./build.ts";
import { MODULE, VERSIONS } from "./programs.ts";

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  webhooks?: Webhook[];
  spec?: Record<string, unknown>;
}

interface Webhook {
  name: string;
  clientConfig?: { service?: { name: string; namespace: string } };
}

const PATHS: Record<string, string> = {
  CustomResourceDefinition: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
  MutatingWebhookConfiguration: "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
  ValidatingWebhookConfiguration: "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
  Namespace: "/api/v1/namespaces",
};

const NAMESPACE = "kruise-system";
/** `berth doctor` reads Kruise's version from its Deployment, and where it runs outside the cluster from here. */
const VERSION_LABEL = "app.kubernetes.io/version";
const SERVICE = { name: "kruise-webhook-service", namespace: NAMESPACE };

/** Applies what Kruise needs before its manager starts, from the manifests of its own module. */
export async function installKruise(kube: KubeClient): Promise<void> {
  // Once: later Kruise itself has filled in fields that a second apply would contradict.
  if (await isInstalled(kube)) return;
  const config = join(moduleDir(MODULE.kruise, "github.com/openkruise/kruise"), "config");
  const crds = read(join(config, "crd", "bases"));
  const conversion = read(join(config, "crd", "patches")).find(({ spec }) => spec?.conversion)?.spec;
  // A kind with several versions is converted by Kruise's webhook: the same for each of them.
  for (const { spec } of crds) if (spec && versionsOf(spec) > 1) Object.assign(spec, withService(conversion));
  await apply(kube, [namespace(NAMESPACE), namespace("kruise-daemon-config"), ...crds]);
  await apply(kube, webhooks(join(config, "webhook")));
  for (const crd of crds) {
    const path = `${PATHS.CustomResourceDefinition}/${crd.metadata.name}`;
    if (!(await until(() => established(kube, path), 30_000))) throw new Error(`${crd.metadata.name} was not established within 30 s`);
  }
  await apply(kube, [{ ...namespace(NAMESPACE), metadata: { name: NAMESPACE, labels: { [VERSION_LABEL]: `v${VERSIONS.kruise}` } } }]);
}

function versionsOf({ versions }: Record<string, unknown>): number {
  return (versions as unknown[]).length;
}

function webhooks(dir: string): Manifest[] {
  const patches = documents(join(dir, "patch_manifests.yaml"));
  return documents(join(dir, "manifests.yaml")).map((manifest) => {
    const extra = new Map(
      patches
        .filter((p) => p.kind === manifest.kind)
        .flatMap((p) => p.webhooks ?? [])
        .map((w) => [w.name, w]),
    );
    const hooks = manifest.webhooks?.map((hook) => withService({ ...hook, ...extra.get(hook.name) })) ?? [];
    return { ...manifest, metadata: { ...manifest.metadata, name: `kruise-${manifest.metadata.name}` }, webhooks: hooks };
  });
}

/** Every reference to the manifests' placeholder service becomes one to Kruise's own. */
function withService<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (key, inner) => (key === "service" ? { ...inner, ...SERVICE } : inner)) as T;
}

function read(dir: string): Manifest[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith(".yaml"))
    .flatMap((name) => documents(join(dir, name)));
}

function documents(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(file, "utf8"))
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest): manifest is Manifest => Boolean(manifest?.kind));
}

async function isInstalled(kube: KubeClient): Promise<boolean> {
  const found = await kube.get<Manifest>(`${PATHS.Namespace}/${NAMESPACE}`).catch(() => null);
  return found?.metadata.labels?.[VERSION_LABEL] === `v${VERSIONS.kruise}`;
}

function namespace(name: string): Manifest {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
}

async function apply(kube: KubeClient, manifests: Manifest[]): Promise<void> {
  for (const manifest of manifests) {
    const path = PATHS[manifest.kind];
    if (!path) throw new Error(`no path for ${manifest.kind}`);
    await kube.patch(`${path}/${manifest.metadata.name}`, "apply", manifest, "other", { fieldManager: "berth-cluster", force: "true" });
  }
}

async function established(kube: KubeClient, path: string): Promise<boolean> {
  const crd = await kube.get<{ status?: { conditions?: { type: string; status: string }[] } }>(path).catch((error: KubeError) => {
    if (error.status === 404) return null;
    throw error;
  });
  return crd?.status?.conditions?.some((c) => c.type === "Established" && c.status === "True") ?? false;
}
