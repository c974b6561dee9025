import { join } from "node:path";
import { RegistryClient } from "../../images/registry.ts";
import { credentialsFor } from "../../images/registry-auth.ts";
import { buildIdleImage, buildRuntimeImage, nodeProgram, pushImage } from "../../images/runtime-image.ts";
import { KubeClient, type WritePurpose } from "../../kubernetes/client.ts";
import { KubeError } from "../../kubernetes/error.ts";
import { pause, type RetryOptions, withRetries } from "../../kubernetes/retry.ts";
import { tellKubernetesVersion } from "../../kubernetes/version.ts";
import { CodeDir } from "../code-dir.ts";
import { type CheckResult, checkCluster, kruiseServed, kruiseVersion } from "./cluster-checks.ts";
import { keepKeys, loadKeys, presentKeys } from "./cluster-keys.ts";
import { CodeRegistry } from "./code/code-registry.ts";
import { InlineArchives } from "./code/inline-archive.ts";
import { DisruptionBudgets } from "./disruption/budgets.ts";
import { KruisePlatform, type PodLoadPath } from "./kruise.ts";
import type { Lead } from "./leader-election/leader-election.ts";
import { WriteFailures } from "./write-failures.ts";

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
  /** Most that it may take of its node's disk. */
  disk: string;
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
  /** Told of each of them that has failed, with the server's reason. */
  onWriteFailed(purpose: WritePurpose, reason: string): void;
  /** Told once of what does not work at the cluster and is tried again, and null when it does. */
  onTrouble(step: string, message: string | null): void;
  /** Ends the start with its reason. */
  stop: AbortSignal;
  /** Resolves when this pool manager leads the namespace. `isFirst` tells whether nobody else can have led it yet. */
  lead(kube: KubeClient, isFirst: () => boolean): Promise<Lead>;
}

export interface Connected {
  platform: KruisePlatform;
  lead: Lead;
  kube: KubeClient;
  code: CodeRegistry;
}

/** Keys that were made this short a time ago nobody else can have led with: it would have waited longer for the Lease that is missing. */
const FIRST_MS = 3000;
/** How often the version of Kruise is asked for before it is taken to be unknown. */
const VERSION_ATTEMPTS = 4;
const VERSION_PAUSE_MS = 500;

/**
 * Connects to a cluster, makes the namespace ready, pushes the images of prewarmed pods, and waits until it leads. What
 * the cluster only cannot do for a moment is tried again. Throws `KubeError` or `RegistryError`; then it does not lead.
 */
export async function connectKruise(config: KruiseConfig, sources: KruiseSources): Promise<Connected> {
  const kube = await KubeClient.connect(config.kubeconfig, config.namespace);
  try {
    return await connectOver(kube, config, sources);
  } catch (error) {
    kube.close();
    throw error;
  }
}

/** As `connectKruise`, to the API server that `kube` leads to. */
export async function connectOver(kube: KubeClient, config: KruiseConfig, sources: KruiseSources): Promise<Connected> {
  kube.onWrite = sources.onWrite;
  const failures = new WriteFailures({ count: sources.onWriteFailed, tell: sources.onTrouble });
  kube.onWritten = (purpose, path, error) => failures.ended(purpose, path, error);
  kube.onListing = (plural, message) => sources.onTrouble(`listing of ${plural}`, message);
  const patience = (step: string): RetryOptions => ({ stop: sources.stop, onTrouble: (message) => sources.onTrouble(step, message) });
  await withRetries(() => checkKruiseItself(kube, config.anyKruise, sources), patience("kruise"));
  await tellKubernetesVersion(kube, patience("kubernetes version"));
  const namespaceUid = await withRetries(() => ensureNamespace(kube), patience("namespace"));
  const registry = registryOf(config);
  const images = config.images ?? (await withRetries(() => pushInstanceImages(registry, config.cacheDir, sources), patience("registry")));
  // Two clusters, or two namespaces of one, may share a registry: each collects only its own images.
  const repository = `berth/code-${namespaceUid.slice(0, 8)}`;
  const onTrouble = (message: string | null) => sources.onTrouble("collection of code images", message);
  const code = new CodeRegistry({ kube, registry, repository, blob: sources.blob, pullSecret: config.pullSecret, onTrouble });
  const inline = new InlineArchives(
    new CodeDir(sources.codeDir, { node: config.images ? process.execPath : nodeProgram(config.cacheDir), program: join(sources.runtimeDist, "compile.cjs") }),
  );
  const { keys: known, madeAt } = await withRetries(() => loadKeys(kube), patience("keys"));
  const lead = ending(await sources.lead(kube, () => madeAt !== null && performance.now() - madeAt < FIRST_MS));
  try {
    sources.stop.throwIfAborted();
    kube.mayWrite = lead.certain;
    kube.onOutrun = lead.challenge;
    const keys = await presentKeys(kube, known);
    lead.also(keepKeys(kube, keys, (message) => sources.onTrouble("keys", message)));
    const { memory, disk, pullSecret, loadPath } = config;
    const pods = { runtimeImage: images.runtime, idleImage: images.idle, leaderKey: keys.leaderKey, memory, disk, pullSecret };
    const protection = new DisruptionBudgets(kube, (kind, message) => sources.onTrouble(`the ${kind}`, message));
    lead.also(() => protection.close());
    return {
      platform: new KruisePlatform({ kube, keys, lead, pods, code, inline, loadPath, protection, onTrouble: sources.onTrouble, now: sources.now }),
      lead,
      kube,
      code,
    };
  } catch (error) {
    await lead.release();
    throw error;
  }
}

/** A leadership that ends whatever it is given, when it ends itself. */
function ending(lead: Lead): Lead & { also(end: () => void): void } {
  const ends: (() => void)[] = [];
  const { term, certain, challenge } = lead;
  const release = () => {
    for (const end of ends) end();
    return lead.release();
  };
  return { term, certain, challenge, release, also: (end) => ends.push(end) };
}

/** For `berth doctor`: looks, and changes nothing. */
export async function checkKruise(config: KruiseConfig): Promise<CheckResult[]> {
  const kube = await KubeClient.connect(config.kubeconfig, config.namespace);
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

/** Refuses a cluster that Berth cannot work on; what is only not known, or was not tested, is told. */
async function checkKruiseItself(kube: KubeClient, any: boolean, { onTrouble, stop }: KruiseSources): Promise<void> {
  const served = await kruiseServed(kube);
  if (!served.ok) throw new KubeError(404, "KruiseMissing", `${served.detail}: ${served.fix}`);
  if (any) return;
  let outcome = await kruiseVersion(kube, any);
  for (let attempt = 1; outcome.error && attempt < VERSION_ATTEMPTS; attempt++) {
    await pause(VERSION_PAUSE_MS, stop);
    outcome = await kruiseVersion(kube, any);
  }
  const { ok, detail, fix, warning } = outcome;
  if (!ok) throw new KubeError(400, "KruiseVersion", `OpenKruise ${detail}: ${fix}`);
  if (warning) onTrouble("kruise version", warning);
}

/** Returns its uid. */
async function ensureNamespace(kube: Pick<KubeClient, "namespace" | "get" | "create">): Promise<string> {
  const path = "/api/v1/namespaces";
  const read = () => kube.get<{ metadata: { uid: string } }>(`${path}/${kube.namespace}`);
  const found = await read().catch((error: KubeError) => {
    if (error.status === 404) return null;
    throw error;
  });
  if (found) return found.metadata.uid;
  const made = await kube.create<{ metadata: { uid: string } }>(path, { metadata: { name: kube.namespace } }).catch((error: KubeError) => {
    if (error.status === 409) return null;
    throw error;
  });
  return (made ?? (await read())).metadata.uid;
}
