import { parseManifest } from "../../../pool-manager/functions/manifest/manifest.ts";
import type { PoolEvent } from "../../../pool-manager/pool/events.ts";
import { KruiseCluster } from "../kruise-cluster.ts";
import type { VirtualTime } from "../virtual-time.ts";
import { MemoryFunctions, MemoryManager, type Shared } from "./manager.ts";
import { MemoryCode } from "./memory-code.ts";
import { MemoryRegistry } from "./memory-registry.ts";

const INVOCATION_MS = 15_000;
const INVOKE_EVERY_MS = 700;

export interface Sizes {
  functions: readonly string[];
  warmEach: number;
  free: number;
  max: number;
}

/** Functions with warm instances and a pool on a cluster in memory, invoked all the time, and pool managers one after the other. */
export class World {
  readonly cluster = new KruiseCluster();
  readonly shared: Shared;
  readonly sizes: Sizes;
  readonly removed: string[] = [];
  readonly events: PoolEvent[] = [];
  manager!: MemoryManager;
  broken = 0;
  served = 0;
  mostPods = 0;
  #client = "one";
  #lives = 0;
  readonly #time: VirtualTime;
  #invoking: NodeJS.Timeout | null = null;

  constructor(time: VirtualTime, sizes: Sizes) {
    this.#time = time;
    this.sizes = sizes;
    this.shared = {
      cluster: this.cluster,
      registry: new MemoryRegistry(),
      code: new MemoryCode(),
      pool: { name: "node", runtime: "node", size: sizes.free, max: sizes.max, budget: { actions: 10, windowMs: 1000 }, partition: 0, paused: false },
      functions: new MemoryFunctions(),
      onEvent: (event) => {
        this.events.push(event);
        if (event.type === "instance.removing") this.removed.push(`${event.instance} ${event.reason}`);
      },
    };
  }

  async begin(): Promise<void> {
    await this.lead();
    for (const name of this.sizes.functions) await this.deploy(name, this.sizes.warmEach);
    await this.#time.reach(() => this.isAtRest(), "all functions are warm and bound, and the pool is full");
    this.removed.length = 0;
    this.cluster.store.listen({ changed: () => this.#count(), restored: () => {} });
    this.#invoking = setInterval(() => this.#invoke(), INVOKE_EVERY_MS);
  }

  /** A function with so many warm instances. */
  async deploy(name: string, warm: number, revision = "r1"): Promise<void> {
    const { digest } = this.shared.code.add(name, revision, `${name} ${revision}`);
    const manifest = parseManifest({ minScale: warm, maxScale: warm, idleTimeout: "24h" }, ["node"]);
    await this.manager.functions.deploy(name, () => manifest, { layer: digest, entry: "index.mjs" });
  }

  async takeover(how: "stop" | "kill", other: boolean): Promise<void> {
    await this.manager[how]();
    if (other) this.#client = this.#client === "one" ? "two" : "one";
    await this.lead();
  }

  async end(): Promise<void> {
    if (this.#invoking) clearInterval(this.#invoking);
    await this.manager.stop();
  }

  isAtRest(): boolean {
    const { functions, warmEach, free } = this.sizes;
    const pods = this.cluster.store.list("/pods");
    const bound = pods.filter(({ metadata }) => metadata.labels?.["berth.dev/function"]);
    const states = [...this.cluster.kubelet.instances().values()].map(({ life }) => life.state);
    const count = (state: string) => states.filter((one) => one === state).length;
    return bound.length === functions.length * warmEach && pods.length === bound.length + free && count("warm") === bound.length && count("prewarmed") === free;
  }

  /** Instances that have this revision of some function loaded. */
  loaded(revision: string): number {
    return [...this.cluster.kubelet.instances().values()].filter(({ life }) => life.state === "warm" && life.echo().revision === revision).length;
  }

  pods(): string[] {
    return this.cluster.store
      .list("/pods")
      .map(({ metadata }) => metadata.uid)
      .sort();
  }

  /** Another life of the same pool manager, or of its standby. */
  async lead(): Promise<void> {
    const holder = `${this.#client}-${++this.#lives}`;
    this.manager = await MemoryManager.lead(this.shared, this.#client, holder, new AbortController().signal);
  }

  /** Invocations go to any instance that is loaded, as routers without a manager send them. */
  #invoke(): void {
    const loaded = [...this.cluster.kubelet.instances().values()].filter(({ life }) => life.state === "warm");
    if (loaded.length === 0) return;
    const instance = this.#time.pick(loaded);
    const { functionUid, revision } = instance.life.echo();
    const end = instance.invoke(functionUid ?? "", revision ?? "", () => {
      this.broken += 1;
    });
    if (!end) return;
    setTimeout(
      () => {
        end();
        this.served += 1;
      },
      this.#time.between(100, INVOCATION_MS),
    );
  }

  #count(): void {
    this.mostPods = Math.max(this.mostPods, this.cluster.store.list("/pods").length);
  }
}
