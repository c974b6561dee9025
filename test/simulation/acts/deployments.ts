import { parseManifest } from "../../../pool-manager/functions/manifest/manifest.ts";
import type { SizeClasses } from "../../../pool-manager/functions/manifest/size-classes.ts";
import type { FunctionRegistry } from "../../../pool-manager/functions/registry.ts";
import { isRolling } from "../../../pool-manager/functions/rollout.ts";
import type { LoadOutcome } from "../../fakes/fake-network.ts";
import type { SimNetwork } from "../network.ts";
import type { VirtualTime } from "../time.ts";

/** Acts of users on functions; some of the code does not load. */
export class Deployments {
  readonly #time: VirtualTime;
  readonly #network: SimNetwork;
  readonly #registry: FunctionRegistry;
  #deployed = 0;
  /** Digests of code that does not load, and how. */
  readonly #bad = new Map<string, LoadOutcome>();

  readonly #classes: SizeClasses;

  constructor(time: VirtualTime, network: SimNetwork, registry: FunctionRegistry, classes: SizeClasses) {
    this.#classes = classes;
    this.#time = time;
    this.#network = network;
    this.#registry = registry;
  }

  outcomeOf(digest: string): LoadOutcome {
    return this.#bad.get(digest) ?? "loads";
  }

  /** Deploys, steers a rollout, splits traffic, rolls back, deletes or scales. */
  async change(): Promise<void> {
    const name = `f${Math.floor(this.#time.between(0, 5))}`;
    const record = this.#registry.find(name);
    const dice = this.#time.random();
    if (!record || dice < 0.45) return this.deploy(name);
    if (isRolling(record.rollout) && this.#time.chance(0.5)) {
      const verb = this.#time.pick(["pause", "resume", "undo"] as const) ?? "undo";
      await this.#registry.steer(name, verb).catch(() => {});
      return;
    }
    if (dice < 0.65) {
      const { id } = record.revisions.at(-1) as { id: string };
      const change = this.#time.chance(0.5) ? { active: id } : { split: {} };
      await this.#registry.setTraffic(name, change).catch(() => {});
    } else if (dice < 0.75) await this.#registry.rollback(name).catch(() => {});
    else if (dice < 0.9) await this.#registry.remove(name).catch(() => {});
    else await this.#registry.deploy(name, (current) => ({ ...(current as NonNullable<typeof current>), minScale: this.#time.chance(0.5) ? 1 : 0 }));
  }

  async deploy(name: string): Promise<void> {
    const layer = `sha256:${++this.#deployed}`;
    if (this.#network.fault("code throws", 0.1)) this.#bad.set(layer, "throws");
    else if (this.#network.fault("code hangs", 0.05)) this.#bad.set(layer, "hangs");
    const concurrency = this.#time.pick([1, 1, 2, 5]) as number;
    const rollout = this.#time.chance(0.4) ? { steps: [1, "60%"], interval: "60ms", parallel: 2 } : null;
    const settings = { rollout, concurrency, timeout: "700ms", loadTimeout: "400ms", queueTimeout: "1s", queueDepth: 6, idleTimeout: "1500ms", maxScale: 4 };
    const canary = this.#time.chance(0.5) ? (this.#time.pick([0, 30, 60, 100]) as number) : undefined;
    // The value is not random, so that the seeds that catch mutants still do.
    const onceLoaded = this.#deployed % 3 === 0;
    // With size classes, every other revision of all has another pool; without them, memory would change nothing.
    const [memory] = this.#deployed % 2 === 0 ? this.#classes.sizes : [];
    const manifest = { ...settings, ...(memory !== undefined && { memory: String(memory) }) };
    const { record } = await this.#registry.deploy(name, () => parseManifest(manifest, ["node"]), { layer, entry: "index.mjs" }, { canary, onceLoaded });
    // Nor is the choice of canaries of which an instance is kept.
    if (record.active !== record.latest && record.traffic.split[record.latest] === canary && this.#deployed % 5 === 0)
      await this.#registry.setTraffic(name, { minScales: { [record.latest]: 1 } }).catch(() => {});
  }
}
