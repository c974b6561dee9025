import { existsSync, mkdtempSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { UpOptions } from "../../../cli/up.ts";
import { ENTRY, packEntry } from "../../../pool-manager/images/code-images.ts";
import { buildImage, digestOf } from "../../../pool-manager/images/oci.ts";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { connectKruise, type KruiseConfig } from "../../../pool-manager/platform/kruise/connect.ts";
import { unprotect } from "../../../pool-manager/platform/kruise/disruption/unprotect.ts";
import type { KruisePlatform } from "../../../pool-manager/platform/kruise/kruise.ts";
import type { PreparedCode } from "../../../pool-manager/platform/platform.ts";
import { CODE_DIR, FUNCTION_ROOT } from "../../../runtime-images/protocol/messages.ts";
import { KUBECONFIG, REGISTRY } from "../machine/layout.ts";

export const ENTRY_PROGRAM = resolve("runtime-images/entry/entry-linux-amd64");
export const CACHE_DIR = process.env.BERTH_CLUSTER_CACHE ?? join(homedir(), ".cache", "berth-cluster");

/** The cluster of the environment (KUBECONFIG and BERTH_REGISTRY), or the one that `npm run cluster:up` has started. */
export function clusterConfig(namespace: string, change: Partial<KruiseConfig> = {}): KruiseConfig {
  const kubeconfig = process.env.KUBECONFIG ?? (existsSync(KUBECONFIG) ? KUBECONFIG : null);
  if (!kubeconfig) throw new Error("no cluster: npm run cluster:up, or set KUBECONFIG and BERTH_REGISTRY");
  const registry = process.env.BERTH_REGISTRY ?? REGISTRY;
  return {
    kubeconfig,
    namespace,
    registry,
    registryVia: null,
    images: null,
    insecureRegistry: false,
    pullSecret: null,
    anyKruise: false,
    loadPath: "inline",
    memory: "256Mi",
    sizeClasses: [],
    disk: "1Gi",
    cacheDir: CACHE_DIR,
    ...change,
  };
}

/** The same as options of `berth up`. */
export function clusterOptions(namespace: string): Partial<UpOptions> {
  const { kubeconfig, registry } = clusterConfig(namespace);
  process.env.BERTH_CACHE_DIR ??= CACHE_DIR;
  return { platform: "kruise", namespace, registry, ...(kubeconfig && { kubeconfig }) };
}

let lastTerm = 0;
let count = 0;

/** A name that no other run has. */
export function freshNamespace(): string {
  return `berth-test-${process.pid}-${Date.now().toString(36)}-${count++}`;
}

export async function deleteNamespace(namespace: string): Promise<void> {
  const kube = await KubeClient.connect(clusterConfig(namespace).kubeconfig, namespace);
  try {
    await unprotect(kube);
    await kube.delete(`/api/v1/namespaces/${namespace}`);
  } finally {
    kube.close();
  }
}

/** A function layer as a deployed code image; its blobs are kept in memory. */
export class MemoryImages {
  readonly #blobs = new Map<string, Uint8Array>();

  readonly blob = async (digest: string): Promise<Uint8Array> => {
    const data = this.#blobs.get(digest);
    if (!data) throw new Error(`no blob ${digest}`);
    return data;
  };

  async add(functionUid: string, layer: Uint8Array): Promise<PreparedCode> {
    const entry = await packEntry(await readFile(ENTRY_PROGRAM));
    const [low, high] = [digestOf(entry), digestOf(layer)];
    const image = buildImage({
      layers: [
        { digest: low, size: entry.length },
        { digest: high, size: layer.length },
      ],
      entrypoint: [ENTRY, `/${FUNCTION_ROOT}`, CODE_DIR, high],
      labels: { "dev.berth.identity": functionUid },
      architecture: "amd64",
    });
    for (const [digest, data] of [
      [low, entry],
      [high, layer],
      [image.configDigest, image.config],
      [image.digest, image.manifest],
    ] as const)
      this.#blobs.set(digest, data);
    return { functionUid, pool: "node", revision: "r1", image: image.digest, digest: high, entry: "index.mjs", layer };
  }
}

/** The adapter alone, without a Lease: several of them may be there at once. */
export async function connect(config: KruiseConfig, images: MemoryImages): Promise<{ platform: KruisePlatform; term: number }> {
  const lead = { term: ++lastTerm, certain: () => true, challenge: () => {}, release: async () => {} };
  const { platform } = await connectKruise(config, {
    runtimeDist: resolve("runtime-images/node/dist"),
    pythonDist: resolve("runtime-images/python/dist"),
    entryProgram: ENTRY_PROGRAM,
    codeDir: mkdtempSync(join(tmpdir(), "berth-test-")),
    blob: images.blob,
    now: () => performance.now(),
    onWrite: () => {},
    onWriteFailed: () => {},
    onTrouble: () => {},
    stop: new AbortController().signal,
    lead: async () => lead,
  });
  return { platform, term: lead.term };
}
