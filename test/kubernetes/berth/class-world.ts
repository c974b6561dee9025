import { parseManifest } from "../../../pool-manager/functions/manifest/manifest.ts";
import { NO_CLASSES, type SizeClasses } from "../../../pool-manager/functions/manifest/size-classes.ts";
import type { CloneSet, Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import type { PoolEvent } from "../../../pool-manager/pool/events.ts";
import { KruiseCluster } from "../kruise-cluster.ts";
import type { VirtualTime } from "../virtual-time.ts";
import { MemoryFunctions, MemoryManager, type Shared } from "./manager.ts";
import { MemoryCode } from "./memory-code.ts";
import { MemoryRegistry } from "./memory-registry.ts";

const INVOKE_EVERY_MS = 150;
const INVOCATION_MS = 2000;
const REPORT_EVERY_MS = 500;

/** A function on a cluster in memory that does not resize pods, invoked all the time, and pool managers with other size classes one after the other. */
export class ClassWorld {
  readonly cluster = new KruiseCluster();
  readonly events: PoolEvent[] = [];
  manager!: MemoryManager;
  /** Invocations that their instance's end has broken. */
  broken = 0;
  /** Invocations that have ended well, by the pool of their instance. */
  readonly served = new Map<string, number>();
  /** The fewest instances of the function that could take an invocation since `watch`. */
  least = Number.POSITIVE_INFINITY;
  readonly #time: VirtualTime;
  readonly #shared: Shared;
  readonly #invoking: NodeJS.Timeout;
  readonly #reporting: NodeJS.Timeout;
  /** Invocations that run, by instance. */
  readonly #running = new Map<string, number>();
  #lives = 0;
  #reports = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
    const onEvent = (event: PoolEvent) => this.events.push(event);
    const pool = { name: "node", runtime: "node", size: 1, max: 8, budget: { actions: 10, windowMs: 1000 }, partition: 0, paused: false };
    const parts = { registry: new MemoryRegistry(), code: new MemoryCode(), functions: new MemoryFunctions() };
    this.#shared = { cluster: this.cluster, ...parts, pool, onEvent, canResize: false, classes: NO_CLASSES };
    this.#invoking = setInterval(() => this.#invoke(), INVOKE_EVERY_MS);
    this.#reporting = setInterval(() => this.#report(), REPORT_EVERY_MS);
  }

  /** A pool manager with these classes takes over from the one before. */
  async lead(classes: SizeClasses, bounds?: Shared["bounds"]): Promise<void> {
    await this.manager?.stop();
    const shared = { ...this.#shared, classes, ...(bounds && { bounds }) };
    this.manager = await MemoryManager.lead(shared, "manager", `m-${++this.#lives}`, new AbortController().signal);
    this.manager.collect();
  }

  /** Deploys the function, of which `minScale` instances are kept. */
  async deploy(text: string, change: { memory?: string; minScale?: number }, onceLoaded = false): Promise<void> {
    const { digest } = this.#shared.code.add("f", text, text);
    const manifest = parseManifest({ minScale: 2, maxScale: 4, idleTimeout: "24h", ...change }, ["node"]);
    await this.manager.functions.deploy("f", () => manifest, { layer: digest, entry: "index.mjs" }, { onceLoaded });
    this.manager.collect();
  }

  async end(): Promise<void> {
    for (const timer of [this.#invoking, this.#reporting]) clearInterval(timer);
    await this.manager.stop();
  }

  /** Pods that are not being deleted, by pool and whether a function has them: `{ "node": 1, "node-1gi of f": 2 }`. */
  pods(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { metadata } of this.list<Pod>("/pods")) {
      if (metadata.deletionTimestamp) continue;
      const name = `${metadata.labels?.["berth.dev/pool"]}${metadata.labels?.["berth.dev/function"] ? " of f" : ""}`;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  }

  /** Names of the CloneSets, with the function's uid and the templates' hashes left out. */
  sets(): string[] {
    const names = this.list<CloneSet>("apps.kruise.io/clonesets").map(({ metadata }) => metadata.name);
    return names.map((name) => name.replace(/^fn-[0-9a-f]{24}/, "fn").replace(/-[0-9a-f]{8}$/, "")).sort();
  }

  list<T>(kind: string): T[] {
    return this.cluster.store.list(kind) as unknown as T[];
  }

  /** Begins to count the fewest instances. */
  watch(): void {
    this.least = Number.POSITIVE_INFINITY;
  }

  reach(pods: Record<string, number>, what: string): Promise<void> {
    const wanted = JSON.stringify(Object.entries(pods).sort());
    return this.#time.reach(() => JSON.stringify(Object.entries(this.pods()).sort()) === wanted, what, 120_000);
  }

  /** An invocation of each instance that serves the active revision, as routers send them. */
  #invoke(): void {
    const record = this.manager?.functions.find("f");
    if (!record) return;
    let takers = 0;
    for (const [uid, instance] of this.cluster.kubelet.instances()) {
      const { state, functionUid, revision } = instance.life.echo();
      if (state !== "warm" || functionUid !== record.uid || revision !== record.active) continue;
      const end = instance.invoke(functionUid, revision, () => {
        this.broken += 1;
      });
      if (!end) continue;
      takers += 1;
      this.#running.set(uid, (this.#running.get(uid) ?? 0) + 1);
      setTimeout(() => {
        end();
        this.#running.set(uid, (this.#running.get(uid) ?? 0) - 1);
        const pool = this.#poolOf(uid);
        this.served.set(pool, (this.served.get(pool) ?? 0) + 1);
      }, INVOCATION_MS);
    }
    this.least = Math.min(this.least, takers);
  }

  /** The router's report: without one, no instance is known to be idle. */
  #report(): void {
    const record = this.manager?.functions.find("f");
    const instances = [...this.#running].map(([uid, inFlight]) => ({ uid, inFlight, idleMs: 0 }));
    const counts = { waiting: 0, inFlight: 0, oldestWaitMs: 0, ended: 0, failed: 0 };
    const functions = record ? [{ key: record.uid, revision: record.active, ...counts, instances }] : [];
    this.manager?.reconciler.report({ router: "router", seq: ++this.#reports, functions, suspects: [] });
  }

  #poolOf(uid: string): string {
    return this.list<Pod>("/pods").find(({ metadata }) => metadata.uid === uid)?.metadata.labels?.["berth.dev/pool"] ?? "gone";
  }
}
