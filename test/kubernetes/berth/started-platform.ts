import type { KruisePlatform } from "../../../pool-manager/platform/kruise/kruise.ts";
import type { Instance } from "../../../pool-manager/platform/platform.ts";
import type { KruiseCluster } from "../kruise-cluster.ts";
import type { VirtualTime } from "../virtual-time.ts";
import { MemoryCode } from "./memory-code.ts";
import { MemoryRegistry } from "./memory-registry.ts";
import { memoryPlatform, soleLead } from "./platform.ts";

export const POOL = { name: "node", runtime: "node", max: 5 };

/** The real adapter on a cluster in memory, and a pool of at most five. */
export interface StartedPlatform {
  platform: KruisePlatform;
  code: MemoryCode;
  instances(): Instance[];
  prewarmed(): Instance[];
  /** Asks for so many instances more than there are. */
  grow(count: number): Promise<void>;
  /** Fills an empty pool with so many prewarmed instances. */
  fill(time: VirtualTime, count: number): Promise<void>;
}

export async function startedPlatform(cluster: KruiseCluster, onTrouble?: (step: string, message: string | null) => void): Promise<StartedPlatform> {
  const code = new MemoryCode();
  const options = { cluster, registry: new MemoryRegistry(), code, lead: soleLead(), ...(onTrouble && { onTrouble }) };
  const platform = await memoryPlatform({ ...options, kube: cluster.connect("manager") });
  await platform.start();
  const instances = () => [...platform.observe().instances.values()];
  const prewarmed = () => instances().filter(({ echo }) => echo?.state === "prewarmed");
  const grow = (more: number) => platform.scalePool(POOL, { seen: new Set(platform.observe().instances.keys()), more });
  const fill = async (time: VirtualTime, count: number) => {
    await grow(count);
    await time.reach(() => prewarmed().length === count, `${count} are prewarmed`);
  };
  return { platform, code, instances, prewarmed, grow, fill };
}
