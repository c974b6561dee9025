import { parseManifest } from "../../../pool-manager/functions/manifest/manifest.ts";
import type { CloneSet, Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import type { PoolSpec } from "../../../pool-manager/pool/decide/world.ts";
import type { PoolEvent } from "../../../pool-manager/pool/events.ts";
import { KruiseCluster } from "../kruise-cluster.ts";
import type { VirtualTime } from "../virtual-time.ts";
import { MemoryFunctions, MemoryManager } from "./manager.ts";
import { MemoryCode } from "./memory-code.ts";
import { MemoryRegistry } from "./memory-registry.ts";

/** A pool manager with two free instances and one function that is warm, in virtual time. */
export class WarmFunction {
  readonly cluster = new KruiseCluster();
  readonly events: PoolEvent[] = [];
  /** The platform's reports about the cluster. */
  readonly told: string[] = [];
  readonly pool: PoolSpec = { name: "node", runtime: "node", size: 2, max: 8, budget: { actions: 10, windowMs: 1000 }, partition: 0, paused: false };
  manager!: MemoryManager;
  /** Invocations that their instance's end has broken. */
  broken = 0;
  readonly #time: VirtualTime;
  readonly #code = new MemoryCode();

  private constructor(time: VirtualTime) {
    this.#time = time;
  }

  static async start(time: VirtualTime, instances: number): Promise<WarmFunction> {
    const world = new WarmFunction(time);
    const { cluster, events, told } = world;
    const shared = { cluster, registry: new MemoryRegistry(), code: world.#code, pool: world.pool, functions: new MemoryFunctions() };
    const onTrouble = (step: string, message: string | null) => told.push(`${step}: ${message}`);
    const options = { ...shared, onEvent: (event: PoolEvent) => events.push(event), onTrouble };
    world.manager = await MemoryManager.lead(options, "manager", "m", new AbortController().signal);
    await world.deploy("r1", instances);
    await time.reach(() => world.isWhole(instances), "the function is warm and bound, and the pool is full");
    return world;
  }

  async deploy(text: string, instances: number): Promise<void> {
    const { digest } = this.#code.add("f", text, text);
    const manifest = parseManifest({ minScale: instances, maxScale: instances, idleTimeout: "24h" }, ["node"]);
    await this.manager.functions.deploy("f", () => manifest, { layer: digest, entry: "index.mjs" });
  }

  /** Whether the function has this many pods, all of them warm, bound and owned by its CloneSet, and whether the pool is full. */
  isWhole(instances: number): boolean {
    const { uid } = this.set("fn-")?.metadata ?? {};
    const bound = this.pods().filter(({ metadata }) => metadata.labels?.["berth.dev/function"]);
    const owned = bound.filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid));
    return owned.length === instances && bound.length === instances && this.count("warm") === instances && this.count("prewarmed") === this.pool.size;
  }

  count(state: string): number {
    return [...this.cluster.kubelet.instances().values()].filter(({ life }) => life.state === state).length;
  }

  pods(): Pod[] {
    return this.cluster.store.list("/pods").filter(({ metadata }) => !metadata.deletionTimestamp) as unknown as Pod[];
  }

  /** The CloneSet whose name begins so. */
  set(prefix: "fn-" | "pool-"): CloneSet | undefined {
    return this.cluster.store.list("apps.kruise.io/clonesets").find(({ metadata }) => metadata.name.startsWith(prefix)) as unknown as CloneSet | undefined;
  }

  /** Edits it by hand. */
  edit(prefix: "fn-" | "pool-", change: object): void {
    this.cluster.at("PATCH", this.#pathOf(prefix), change);
  }

  /** Deletes a CloneSet whose protection was removed; a finalizer holds it. */
  deleteHeld(prefix: "fn-" | "pool-"): void {
    this.edit(prefix, { metadata: { labels: { "policy.kruise.io/delete-protection": null }, finalizers: ["example.com/hold"] } });
    this.cluster.at("DELETE", this.#pathOf(prefix));
  }

  /** An invocation of each instance, which lasts. */
  invoke(): void {
    for (const instance of this.cluster.kubelet.instances().values()) {
      const { state, functionUid, revision } = instance.life.echo();
      if (state !== "warm") continue;
      const end = instance.invoke(functionUid ?? "", revision ?? "", () => {
        this.broken += 1;
      });
      if (end) setTimeout(end, 20_000);
    }
  }

  problems(): string[] {
    return this.manager.reconciler.reports.problemsOf("node");
  }

  reach(check: () => boolean, what: string, ms?: number): Promise<void> {
    return this.#time.reach(check, what, ms);
  }

  #pathOf(prefix: "fn-" | "pool-"): string {
    return `/apis/apps.kruise.io/v1alpha1/namespaces/${this.cluster.namespace}/clonesets/${this.set(prefix)?.metadata.name}`;
  }
}
