import { processClock } from "../../../pool-manager/async/clock.ts";
import { defaultPace } from "../../../pool-manager/config.ts";
import type { FunctionRecord, FunctionStore, Secrets } from "../../../pool-manager/functions/function.ts";
import type { ResourceBounds } from "../../../pool-manager/functions/manifest/resources.ts";
import { NO_CLASSES, type SizeClasses } from "../../../pool-manager/functions/manifest/size-classes.ts";
import { FunctionRegistry } from "../../../pool-manager/functions/registry.ts";
import { byRelease } from "../../../pool-manager/functions/rollout.ts";
import type { KruisePlatform } from "../../../pool-manager/platform/kruise/kruise.ts";
import { LeaderElection } from "../../../pool-manager/platform/kruise/leader-election/leader-election.ts";
import { highestTerm } from "../../../pool-manager/platform/kruise/leader-election/terms.ts";
import type { PreparedCode } from "../../../pool-manager/platform/platform.ts";
import type { PoolSpec } from "../../../pool-manager/pool/decide/world.ts";
import type { PoolEvent } from "../../../pool-manager/pool/events.ts";
import { type PoolStore, Pools } from "../../../pool-manager/pool/pools.ts";
import { Reconciler } from "../../../pool-manager/pool/reconciler.ts";
import type { KruiseCluster } from "../kruise-cluster.ts";
import type { MemoryCode } from "./memory-code.ts";
import type { MemoryRegistry } from "./memory-registry.ts";
import { memoryPlatform } from "./platform.ts";

/** The parts that all pool managers of a namespace share. */
export interface Shared {
  cluster: KruiseCluster;
  registry: MemoryRegistry;
  code: MemoryCode;
  pool: PoolSpec;
  functions: MemoryFunctions;
  onEvent(event: PoolEvent): void;
  onTrouble?(step: string, message: string | null): void;
  /** Whose pools are like `pool`, and the most that a function can have with them; absent: `pool` alone. */
  classes?: SizeClasses;
  bounds?: ResourceBounds;
  canResize?: boolean;
}

/** Settings of pools that nobody has changed. */
const NOTHING_SET: PoolStore = { load: async () => new Map(), save: async () => {} };

/** Functions that outlive the process, as custom resources do. */
export class MemoryFunctions implements FunctionStore {
  readonly #held = new Map<string, { record: FunctionRecord; secrets: Secrets }>();

  async load(): Promise<{ record: FunctionRecord; secrets: Secrets }[]> {
    return [...this.#held.values()];
  }

  async save(record: FunctionRecord, secrets: Secrets): Promise<void> {
    this.#held.set(record.uid, { record, secrets });
  }

  progress(record: FunctionRecord, secrets: Secrets): Promise<void> {
    return this.save(record, secrets);
  }

  async remove({ uid }: FunctionRecord): Promise<void> {
    this.#held.delete(uid);
  }
}

/** One pool manager on a cluster in memory: leader election, adapter, registry of functions and reconciler, as in production. */
export class MemoryManager {
  readonly functions: FunctionRegistry;
  readonly reconciler: Reconciler;
  readonly term: number;
  readonly #platform: KruisePlatform;
  readonly #close: () => void;

  private constructor(shared: Shared, platform: KruisePlatform, pools: Pick<Pools, "list">, term: number, close: () => void) {
    const { code, functions, classes = NO_CLASSES, bounds = null, onEvent } = shared;
    this.term = term;
    this.#platform = platform;
    this.#close = close;
    const build = async (_name: string, revision: string, identity: string, layer: string) => code.add(identity, revision, String(code.blobs.get(layer))).image;
    this.functions = new FunctionRegistry(functions, build, (uid) => this.#changed(uid), undefined, classes);
    this.reconciler = new Reconciler({
      platform,
      functions: this.functions,
      pools,
      bounds,
      layer: code.blob,
      clock: processClock(),
      pace: defaultPace({ kind: "kruise", loadPath: "inline" } as never),
      term,
      onEvent,
    });
  }

  /** Waits until it leads, and then for the cluster's first complete view. `client` is its name to faults. */
  static async lead(shared: Shared, client: string, holder: string, stop: AbortSignal): Promise<MemoryManager> {
    const kube = shared.cluster.connect(client);
    const nothing = () => {};
    const lead = await LeaderElection.acquire({
      kube,
      holder,
      url: `http://${client}`,
      highestTerm: () => highestTerm(kube),
      isFirst: () => false,
      onLeader: nothing,
      onTrouble: nothing,
      onLost: nothing,
      stop,
    });
    const platform = await memoryPlatform({ ...shared, kube, lead });
    const manager = new MemoryManager(shared, platform, await poolsOf(shared), lead.term, () => kube.close());
    await manager.functions.load();
    await manager.reconciler.start();
    for (const record of manager.functions.list()) manager.#prepare(record);
    return manager;
  }

  /** Stops as on SIGTERM: the Lease is released. */
  async stop(): Promise<void> {
    this.reconciler.close();
    await this.#platform.close();
  }

  /** Ends as on SIGKILL: nothing that it sends arrives any more. */
  async kill(): Promise<void> {
    this.reconciler.close();
    this.#close();
    await this.#platform.close();
  }

  /** Tells the platform which functions there are, as a collector of code does. */
  collect(): void {
    const needed = { functions: new Set(this.functions.list().map(({ uid }) => uid)), images: new Set<string>(), layers: new Set<string>() };
    this.#platform.retainCode({ ...needed, declared: new Set() }, { mayGo: () => null, gone: () => {}, end: () => {} });
  }

  #changed(uid: string): void {
    const record = this.functions.byUid(uid);
    if (record) this.#prepare(record);
    this.reconciler.functionChanged(uid);
  }

  #prepare(record: FunctionRecord): void {
    const codes = byRelease(record).map((revision): PreparedCode => {
      const { id, image, layer, settings } = revision;
      const pool = this.functions.poolOf(record, revision);
      return { functionUid: record.uid, pool, revision: id, image, digest: layer, entry: settings.entry, layer: Buffer.from("code") };
    });
    this.#platform.prepareCode(codes as [PreparedCode, ...PreparedCode[]]);
  }
}

async function poolsOf({ pool, classes }: Shared): Promise<Pick<Pools, "list">> {
  if (!classes) return { list: () => [pool] };
  const pools = new Pools(NOTHING_SET, () => {});
  await pools.load(classes.poolsOf([pool.runtime]).map((offered) => ({ ...pool, ...offered })));
  return pools;
}
