import { processClock } from "../../../pool-manager/async/clock.ts";
import { defaultPace } from "../../../pool-manager/config.ts";
import type { FunctionRecord, FunctionStore, Secrets } from "../../../pool-manager/functions/function.ts";
import { FunctionRegistry } from "../../../pool-manager/functions/registry.ts";
import { byRelease } from "../../../pool-manager/functions/rollout.ts";
import type { KruisePlatform } from "../../../pool-manager/platform/kruise/kruise.ts";
import { LeaderElection } from "../../../pool-manager/platform/kruise/leader-election/leader-election.ts";
import { highestTerm } from "../../../pool-manager/platform/kruise/leader-election/terms.ts";
import type { PreparedCode } from "../../../pool-manager/platform/platform.ts";
import type { PoolSpec } from "../../../pool-manager/pool/decide/world.ts";
import type { PoolEvent } from "../../../pool-manager/pool/events.ts";
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
}

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

  private constructor(shared: Shared, platform: KruisePlatform, term: number, close: () => void) {
    const { code, functions, pool, onEvent } = shared;
    this.term = term;
    this.#platform = platform;
    this.#close = close;
    const build = async (_name: string, revision: string, identity: string, layer: string) => code.add(identity, revision, String(code.blobs.get(layer))).image;
    this.functions = new FunctionRegistry(functions, build, (uid) => this.#changed(uid));
    this.reconciler = new Reconciler({
      platform,
      functions: this.functions,
      pools: { list: () => [pool] },
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
    const manager = new MemoryManager(shared, platform, lead.term, () => kube.close());
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

  #changed(uid: string): void {
    const record = this.functions.byUid(uid);
    if (record) this.#prepare(record);
    this.reconciler.functionChanged(uid);
  }

  #prepare(record: FunctionRecord): void {
    const { uid: functionUid, runtime: pool } = record;
    const codes = byRelease(record).map(({ id: revision, image, layer: digest, settings: { entry } }): PreparedCode => {
      return { functionUid, pool, revision, image, digest, entry, layer: Buffer.from("code") };
    });
    this.#platform.prepareCode(codes as [PreparedCode, ...PreparedCode[]]);
  }
}
