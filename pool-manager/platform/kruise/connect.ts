import { join } from "node:path";
import { SizeClasses } from "../../functions/manifest/size-classes.ts";
import { ForeignImages } from "../../images/foreign/foreign-images.ts";
import { RegistryClient } from "../../images/registry.ts";
import { dockerLogin, registryLogin } from "../../images/registry-login.ts";
import { nodeProgram } from "../../images/runtime-image.ts";
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
import { type ImagePrograms, knownImages, pushInstanceImages } from "./instance-images.ts";
import { KruisePlatform, type PodLoadPath } from "./kruise.ts";
import type { Lead } from "./leader-election/lead.ts";
import { type InstanceImages, podPools, podRuntimes } from "./pod-runtimes.ts";
import { functionBytes } from "./resources/pod-resources.ts";
import { type ResizeSupport, resizeSupport } from "./resources/resize-support.ts";
import { WriteFailures } from "./write-failures.ts";

export interface KruiseConfig {
  /** Path of the kubeconfig; null: KUBECONFIG, ~/.kube/config, or the pod's service account. */
  kubeconfig: string | null;
  namespace: string;
  /** `host[:port][/prefix]` of the registry that nodes pull from and Berth pushes to. */
  registry: string;
  /** `host[:port]` under which this process reaches the registry; null: the same as for nodes. */
  registryVia: string | null;
  /** References of instance images that are already pushed; null: they are built and pushed at each start. */
  images: InstanceImages | null;
  /** Allows plain HTTP to a registry that is not on loopback. */
  insecureRegistry: boolean;
  /** Name of the image pull Secret; null: none. */
  pullSecret: string | null;
  anyKruise: boolean;
  loadPath: PodLoadPath;
  /** Memory limit of an instance, as a Kubernetes quantity. */
  memory: string;
  /** Sizes of the classes of functions that have pools of their own, in bytes and ascending; empty: there are none. */
  sizeClasses: readonly number[];
  /** Limit of an instance's use of its node's disk, as a Kubernetes quantity. */
  disk: string;
  /** Directory that keeps the runtime image's largest layer between starts. */
  cacheDir: string;
}

/** The parts of its process and checkout that the adapter needs. */
export interface KruiseSources extends ImagePrograms {
  /** Directory of compiled code. */
  codeDir: string;
  blob(digest: string): Promise<Uint8Array>;
  now(): number;
  /** Called for each write to the API server. */
  onWrite(purpose: WritePurpose): void;
  /** Called for each failed write, with the server's reason. */
  onWriteFailed(purpose: WritePurpose, reason: string): void;
  /** Reports once that a step on the cluster fails and is being retried, and null once it works. */
  onTrouble(step: string, message: string | null): void;
  /** Aborts the start with its reason. */
  stop: AbortSignal;
  /** Resolves when this pool manager leads the namespace. `isFirst`: whether no other pool manager can have led it yet. */
  lead(kube: KubeClient, isFirst: () => boolean): Promise<Lead>;
}

export interface Connected {
  platform: KruisePlatform;
  lead: Lead;
  /** The way in which functions are limited here. */
  support: ResizeSupport;
  kube: KubeClient;
  code: CodeRegistry;
  foreign: ForeignImages;
  runtimes: string[];
  classes: SizeClasses;
  /** The version of CPython in its image; if there is none, the reason. */
  pythonVersion: string | { reason: string };
}

/** No other pool manager can have led with keys younger than this: it would have had to wait longer for the missing Lease. */
const FIRST_MS = 3000;
/** How many times the version of Kruise is read before it counts as unknown. */
const VERSION_ATTEMPTS = 4;
const VERSION_PAUSE_MS = 500;

/**
 * Connects to a cluster, prepares the namespace, pushes the images of prewarmed pods, and waits for leadership. Transient
 * failures of the cluster are retried. Throws `KubeError` or `RegistryError`; this pool manager does not lead then.
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

/** Does the same as `connectKruise` with an existing Kubernetes client. */
export async function connectOver(kube: KubeClient, config: KruiseConfig, sources: KruiseSources): Promise<Connected> {
  const failures = new WriteFailures({ count: sources.onWriteFailed, tell: sources.onTrouble });
  kube.listen({
    onWrite: sources.onWrite,
    onWritten: (purpose, path, error) => failures.ended(purpose, path, error),
    onListing: (plural, message) => sources.onTrouble(`listing of ${plural}`, message),
  });
  const patience = (step: string): RetryOptions => ({ stop: sources.stop, onTrouble: (message) => sources.onTrouble(step, message) });
  await withRetries(() => checkKruiseItself(kube, config.anyKruise, sources), patience("kruise"));
  await tellKubernetesVersion(kube, patience("kubernetes version"));
  const namespaceUid = await withRetries(() => ensureNamespace(kube), patience("namespace"));
  const registry = registryOf(config);
  const given = config.images;
  const ready = () => (given ? knownImages(registry, given) : pushInstanceImages(registry, config.cacheDir, sources));
  const images = await withRetries(ready, patience("registry"));
  // Clusters and namespaces may share a registry: each has its own repository and collects only that.
  const repository = `berth/code-${namespaceUid.slice(0, 8)}`;
  const onTrouble = (message: string | null) => sources.onTrouble("collection of code images", message);
  const code = new CodeRegistry({ kube, registry, repository, blob: sources.blob, pullSecret: config.pullSecret, onTrouble });
  const foreign = new ForeignImages({ registry, repository, clientOf: (host, path) => clientOf(config, host, path) });
  const inline = new InlineArchives(
    new CodeDir(sources.codeDir, { node: config.images ? process.execPath : nodeProgram(config.cacheDir), program: join(sources.runtimeDist, "compile.cjs") }),
  );
  const { keys: known, madeAt } = await withRetries(() => loadKeys(kube), patience("keys"));
  const lead = ending(await sources.lead(kube, () => madeAt !== null && performance.now() - madeAt < FIRST_MS));
  try {
    sources.stop.throwIfAborted();
    kube.writeUnder(lead);
    const keys = await presentKeys(kube, known);
    lead.also(keepKeys(kube, keys, (message) => sources.onTrouble("keys", message)));
    const { memory, sizeClasses, disk, pullSecret, loadPath } = config;
    const runtimes = podRuntimes(images);
    const classes = new SizeClasses(functionBytes(memory), sizeClasses);
    const pods = { pools: podPools(runtimes, memory, classes), idleImage: images.idle, leaderKey: keys.leaderKey, disk, pullSecret };
    const support = await withRetries(() => resizeSupport(kube, memory, sizeClasses), patience("resources of functions"));
    const protection = new DisruptionBudgets(kube, (kind, message) => sources.onTrouble(`the ${kind}`, message));
    lead.also(() => protection.close());
    return {
      platform: new KruisePlatform({
        ...{ kube, keys, lead, pods, code, inline, loadPath, protection },
        canResize: support.isSupported,
        onTrouble: sources.onTrouble,
        now: sources.now,
      }),
      support,
      lead,
      kube,
      code,
      foreign,
      runtimes: Object.keys(runtimes),
      classes,
      pythonVersion: images.pythonVersion,
    };
  } catch (error) {
    await lead.release();
    throw error;
  }
}

/** Extends a leadership by work that ends when the leadership is released. */
function ending(lead: Lead): Lead & { also(end: () => void): void } {
  const ends: (() => void)[] = [];
  const { term, certain, challenge } = lead;
  const release = () => {
    for (const end of ends) end();
    return lead.release();
  };
  return { term, certain, challenge, release, also: (end) => ends.push(end) };
}

/** Checks the cluster for `berth doctor`, without changing anything. */
export async function checkKruise(config: KruiseConfig): Promise<CheckResult[]> {
  const kube = await KubeClient.connect(config.kubeconfig, config.namespace);
  try {
    return await checkCluster(kube, registryOf(config), config);
  } finally {
    kube.close();
  }
}

/** The client of the configured registry, with this user's credentials. */
export function registryOf({ registry, insecureRegistry, registryVia }: Pick<KruiseConfig, "registry" | "insecureRegistry" | "registryVia">): RegistryClient {
  return new RegistryClient({ registry, login: () => registryLogin(registry.split("/")[0] ?? ""), insecure: insecureRegistry, via: registryVia });
}

/** A client of the registry of a user's image. The credentials of Berth's own registry are for that alone: others get those of `docker login`. */
function clientOf(config: Pick<KruiseConfig, "registry" | "insecureRegistry" | "registryVia">, host: string, path: string): RegistryClient {
  const registry = path === "" ? host : `${host}/${path}`;
  if (host === config.registry.split("/")[0]) return registryOf({ ...config, registry });
  return new RegistryClient({ registry, login: () => dockerLogin(host), insecure: false });
}

/** Rejects on a cluster without CloneSets or with an unsupported Kruise; reports a version that is unknown or untested. */
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

/** Creates the namespace if needed; returns its uid. */
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
