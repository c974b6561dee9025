import { NO_CLASSES, type SizeClasses } from "../../../pool-manager/functions/manifest/size-classes.ts";
import type { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import type { CodeDir } from "../../../pool-manager/platform/code-dir.ts";
import type { PodRuntime } from "../../../pool-manager/platform/kruise/clonesets/manifests.ts";
import { loadKeys } from "../../../pool-manager/platform/kruise/cluster-keys.ts";
import { CodeRegistry } from "../../../pool-manager/platform/kruise/code/code-registry.ts";
import { InlineArchives } from "../../../pool-manager/platform/kruise/code/inline-archive.ts";
import { DisruptionBudgets } from "../../../pool-manager/platform/kruise/disruption/budgets.ts";
import { KruisePlatform, type PodLoadPath } from "../../../pool-manager/platform/kruise/kruise.ts";
import type { Lead } from "../../../pool-manager/platform/kruise/leader-election/lead.ts";
import { podPools } from "../../../pool-manager/platform/kruise/pod-runtimes.ts";
import type { KruiseCluster } from "../kruise-cluster.ts";
import type { MemoryCode } from "./memory-code.ts";
import type { MemoryRegistry } from "./memory-registry.ts";

export interface MemoryPlatformOptions {
  cluster: KruiseCluster;
  registry: MemoryRegistry;
  code: MemoryCode;
  kube: KubeClient;
  lead: Lead;
  loadPath?: PodLoadPath;
  runtimeImage?: string;
  /** Offered besides Node. */
  runtimes?: Record<string, PodRuntime>;
  classes?: SizeClasses;
  canResize?: boolean;
  onTrouble?: (step: string, message: string | null) => void;
}

/** Nothing is compiled: that is a process of its own. */
const NO_COMPILER = { open: () => {}, compile: () => {}, compiled: async () => null, retain: () => {} } as unknown as CodeDir;

/** The real adapter on a cluster in memory, as `connectKruise` makes it. */
export async function memoryPlatform({
  cluster,
  registry,
  code,
  kube,
  lead,
  loadPath = "inline",
  runtimeImage = "runtime:1",
  runtimes = {},
  classes = NO_CLASSES,
  canResize = true,
  onTrouble = () => {},
}: MemoryPlatformOptions): Promise<KruisePlatform> {
  const { keys } = await loadKeys(kube);
  // A refused write does not end this leader: tests observe what a fenced leader still does.
  kube.writeUnder({ certain: lead.certain, challenge: () => {} });
  const protection = new DisruptionBudgets(kube, () => {});
  const release = () => {
    protection.close();
    return lead.release();
  };
  const codes = new CodeRegistry({ kube, registry: registry.client, repository: "berth/code-test", blob: code.blob, pullSecret: null, onTrouble: () => {} });
  const pods = {
    pools: podPools({ node: { image: runtimeImage, worker: null }, ...runtimes }, "256Mi", classes),
    idleImage: "idle:1",
    leaderKey: keys.leaderKey,
    disk: "1Gi",
    pullSecret: null,
  };
  const inline = new InlineArchives(NO_COMPILER);
  return new KruisePlatform({
    kube,
    keys,
    lead: { ...lead, release },
    pods,
    code: codes,
    inline,
    loadPath,
    canResize,
    protection,
    onTrouble,
    now: () => performance.now(),
    openControl: cluster.kubelet.network.open,
  });
}

/** An uncontested leadership. */
export function soleLead(term = 1): Lead {
  return { term, certain: () => true, challenge: () => {}, release: async () => {} };
}
