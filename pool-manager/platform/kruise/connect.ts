import { join } from "node:path";
import { RegistryClient } from "../../images/registry.ts";
import { credentialsFor } from "../../images/registry-auth.ts";
import { buildIdleImage, buildRuntimeImage, nodeProgram, pushImage } from "../../images/runtime-image.ts";
import { CodeDir } from "../code-dir.ts";
import { type CheckResult, checkCluster, kruiseVersion } from "./checks.ts";
import { CodeRegistry } from "./code-registry.ts";
import { InlineCode } from "./inline-code.ts";
import { loadKeys } from "./keys.ts";
import { KruisePlatform, type PodLoadPath } from "./kruise.ts";
import { Kube, type WritePurpose } from "./kube.ts";
import { KubeError } from "./kube-error.ts";
import type { Lead } from "./leadership.ts";
import { protectInstances } from "./protection.ts";

export interface KruiseConfig {
  /** Path; null: KUBECONFIG, ~/.kube/config, or the pod's service account. */
  kubeconfig: string | null;
  namespace: string;
  /** `host[:port][/prefix]` that nodes pull from and we push to. */
  registry: string;
  /** `host[:port]` that we reach the registry at, where that is another name; null: the same. */
  registryVia: string | null;
  /** Images of instances that have been pushed already; null: they are built and pushed at each start. */
  images: { runtime: string; idle: string } | null;
  /** Plain HTTP to a registry that is not on loopback. */
  insecureRegistry: boolean;
  /** Name of the Secret with which nodes pull; null: none. */
  pullSecret: string | null;
  anyKruise: boolean;
  loadPath: PodLoadPath;
  /** Most memory of an instance, as Kubernetes writes it. */
  memory: string;
  /** Where the runtime image's largest layer is kept between starts. */
  cacheDir: string;
}

/** What the adapter takes from its checkout. */
export interface KruiseSources {
  /** Directory of the runtime's built programs. */
  runtimeDist: string;
  /** Where compiled code is kept. */
  codeDir: string;
  entryProgram: string;
  blob(digest: string): Promise<Uint8Array>;
  now(): number;
  /** Told of each write to the API server. */
  onWrite(purpose: WritePurpose): void;
  /** Resolves when this pool manager leads the namespace. */
  lead(kube: Kube): Promise<Lead>;
}

export interface Connected {
  platform: KruisePlatform;
  lead: Lead;
  kube: Kube;
  code: CodeRegistry;
}

/** Connects to a cluster, makes the namespace ready, pushes the images of prewarmed pods, and waits until it leads. Throws `KubeError` or `RegistryError`. */
export async function connectKruise(config: KruiseConfig, sources: KruiseSources): Promise<Connected> {
  const kube = await Kube.connect(config.kubeconfig, config.namespace);
  kube.onWrite = sources.onWrite;
  const version = await kruiseVersion(kube, config.anyKruise);
  if (!version.ok) throw new KubeError(0, "KruiseVersion", `OpenKruise ${version.detail}: ${version.fix}`);
  await ensureNamespace(kube);
  const keys = await loadKeys(kube);
  const registry = registryOf(config);
  const images = config.images ?? (await pushInstanceImages(registry, config.cacheDir, sources));
  const code = new CodeRegistry({ kube, registry, repository: `berth/code-${await clusterId(kube)}`, blob: sources.blob, pullSecret: config.pullSecret });
  const { memory, pullSecret, loadPath } = config;
  const pods = { runtimeImage: images.runtime, idleImage: images.idle, leaderKey: keys.leaderKey, memory, pullSecret };
  const inline = new InlineCode(
    new CodeDir(sources.codeDir, { node: config.images ? process.execPath : nodeProgram(config.cacheDir), program: join(sources.runtimeDist, "compile.cjs") }),
  );
  const lead = await sources.lead(kube);
  kube.mayWrite = lead.certain;
  await protectInstances(kube);
  return { platform: new KruisePlatform({ kube, keys, lead, pods, code, inline, loadPath, now: sources.now }), lead, kube, code };
}

/** For `berth doctor`: looks, and changes nothing. */
export async function checkKruise(config: KruiseConfig): Promise<CheckResult[]> {
  const kube = await Kube.connect(config.kubeconfig, config.namespace);
  try {
    return await checkCluster(kube, registryOf(config), config.anyKruise);
  } finally {
    kube.close();
  }
}

/** The images that every instance is made of; returns their references. */
export async function pushInstanceImages(
  registry: RegistryClient,
  cacheDir: string,
  { entryProgram, runtimeDist }: Pick<KruiseSources, "entryProgram" | "runtimeDist">,
): Promise<{ runtime: string; idle: string }> {
  const [idle, runtime] = await Promise.all([
    buildIdleImage(entryProgram).then((image) => pushImage(registry, "berth/idle", image)),
    buildRuntimeImage(cacheDir, runtimeDist).then((image) => pushImage(registry, "berth/runtime-node", image)),
  ]);
  return { runtime, idle };
}

/** The configuration's registry, with this user's credentials for it. */
export function registryOf({ registry, insecureRegistry, registryVia }: Pick<KruiseConfig, "registry" | "insecureRegistry" | "registryVia">): RegistryClient {
  return new RegistryClient({ registry, credentials: () => credentialsFor(registry.split("/")[0] ?? ""), insecure: insecureRegistry, via: registryVia });
}

async function ensureNamespace(kube: Kube): Promise<void> {
  const path = "/api/v1/namespaces";
  const exists = await kube.get(`${path}/${kube.namespace}`).catch((error: KubeError) => {
    if (error.status === 404) return null;
    throw error;
  });
  if (!exists) await kube.create(path, { metadata: { name: kube.namespace } });
}

/** Two clusters, or two namespaces of one, may share a registry: each collects only its own images. */
async function clusterId(kube: Kube): Promise<string> {
  const { metadata } = await kube.get<{ metadata: { uid: string } }>(`/api/v1/namespaces/${kube.namespace}`);
  return metadata.uid.slice(0, 8);
}
