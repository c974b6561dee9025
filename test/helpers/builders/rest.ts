import { awakeTime } from "../../../pool-manager/async/awake-time.ts";
import type { Clock } from "../../../pool-manager/async/clock.ts";
import type { DemandReport, TableFunction } from "../../../pool-manager/client/contract.ts";
import { parseManifest } from "../../../pool-manager/functions/manifest/manifest.ts";
import { FunctionRegistry } from "../../../pool-manager/functions/registry.ts";
import type { Instance, Observation } from "../../../pool-manager/platform/platform.ts";
import type { PoolEvent } from "../../../pool-manager/pool/events.ts";
import type { ReconcilerOptions } from "../../../pool-manager/pool/options.ts";
import { Reconciler } from "../../../pool-manager/pool/reconciler.ts";
import { FakePlatform } from "../../fakes/fake-platform.ts";
import { memoryStore } from "../../fakes/memory-store.ts";
import { VirtualTime } from "../../simulation/time.ts";

const POOL = { name: "node", runtime: "node", size: 4, max: 30, budget: { actions: 5, windowMs: 1000 }, partition: 0, paused: false };

export type Forge = (real: ReadonlyMap<string, Instance>) => Partial<Observation>;

export /** A pool manager on a platform in memory and in virtual time, at rest with 20 warm instances of a function and 4 free ones; what it observes can be forged. */
class Rest {
  readonly time = new VirtualTime(1);
  /** The clock of the pool manager and its platform. */
  readonly clock: Clock;
  readonly events: PoolEvent[] = [];
  /** Requests to the platform that cannot be undone. */
  readonly harm: string[] = [];
  readonly platform: FakePlatform;
  reconciler: Reconciler;
  readonly functions: FunctionRegistry;
  forge: Forge | null = null;
  /** Plans of functions whose idle timeout is auto; of the pool manager that takes over next. */
  idling: ReconcilerOptions["idling"] | null = null;
  pool = { ...POOL };
  /** Milliseconds until what an instance says of itself is heard. */
  eventMs: () => number = () => 1;
  #term = 0;
  #seq = 0;

  private constructor() {
    const time = this.time;
    const ticking = (check: () => void, ms: number) =>
      void time.after(ms, () => {
        check();
        ticking(check, ms);
      });
    const { now } = awakeTime(time.now, ticking);
    this.clock = { now, after: time.after, soon: (run) => time.soon(run) };
    this.platform = new FakePlatform({
      now,
      deliver: (what, effect) => void time.after(what === "event" ? this.eventMs() : 1, effect),
      after: (ms, effect) => void time.after(ms, effect),
      call: (_what, work) => new Promise((resolve, reject) => time.after(1, () => Promise.resolve().then(work).then(resolve, reject))),
    });
    const real = this.platform;
    const observe = real.observe.bind(real);
    real.observe = () => ({ ...observe(), ...this.forge?.(observe().instances) });
    const [remove, drain, load] = [real.remove.bind(real), real.drain.bind(real), real.load.bind(real)];
    real.remove = (target) => {
      this.harm.push(`remove ${target.uid}`);
      return remove(target);
    };
    real.drain = (uid, ms) => {
      this.harm.push(`drain ${uid}`);
      return drain(uid, ms);
    };
    real.load = (order, code) => {
      if (order.epoch > 0) this.harm.push(`change ${order.uid}`);
      return load(order, code);
    };
    this.functions = new FunctionRegistry(
      memoryStore(),
      async (_n, _r, _i, layer) => `image-${layer}`,
      (uid) => this.reconciler.functionChanged(uid),
    );
    this.reconciler = this.#newReconciler();
  }

  #newReconciler(): Reconciler {
    return new Reconciler({
      platform: this.platform,
      functions: this.functions,
      pools: { list: () => [this.pool] },
      layer: async () => new Uint8Array(),
      clock: this.clock,
      pace: { urgent: 8, refill: 8, refillDelayMs: 0, startTimeoutMs: 10_000, lostAfterMs: 5000, bindDelayMs: 0, bindAfterMs: 0 },
      term: ++this.#term,
      ...(this.idling && { idling: this.idling }),
      onEvent: (event) => this.events.push(event),
    });
  }

  /** Another pool manager takes over, which has heard no router or instance yet. Returns the first table that it publishes. */
  async takeOver(isMute: (uid: string) => boolean = () => false): Promise<TableFunction[]> {
    this.reconciler.close();
    this.platform.restartView(isMute);
    this.reconciler = this.#newReconciler();
    let table: TableFunction[] | null = null;
    void this.reconciler.start().then(() => {
      this.reconciler.subscribe((change) => {
        if (change.type === "snapshot") table = change.functions;
      })();
    });
    for (let tries = 100; tries > 0 && table === null; tries--) await this.pass(10);
    if (table === null) throw new Error("the successor has not started");
    return table;
  }

  static async reach(): Promise<Rest> {
    const rest = new Rest();
    await rest.reconciler.start();
    await rest.deploy("one");
    await rest.pass(8000);
    const { warm, prewarmed } = rest.states();
    if (warm !== 20 || prewarmed !== 4 || rest.harm.length > 0) throw new Error(`not at rest: ${JSON.stringify(rest.states())}`);
    return rest;
  }

  async deploy(layer: string, change: Record<string, unknown> = {}): Promise<void> {
    const manifest = parseManifest({ minScale: 20, maxScale: 20, idleTimeout: "1h", ...change }, ["node"]);
    await this.functions.deploy("f", () => manifest, { layer, entry: "index.mjs" });
  }

  pass(ms: number): Promise<void> {
    return this.time.run(this.time.now() + ms);
  }

  /** The process stands still; what was due meanwhile is late. */
  stop(ms: number): void {
    this.time.skip(ms);
  }

  /** A router's report of the function's instances, by uid. */
  report(router: string, uses: Record<string, { inFlight: number; idleMs: number }>, change: Partial<DemandReport> = {}): void {
    const key = this.functions.list()[0]?.uid ?? "";
    const instances = Object.entries(uses).map(([uid, use]) => ({ uid, ...use }));
    const inFlight = instances.reduce((sum, use) => sum + use.inFlight, 0);
    const entry = { key, revision: "r1", waiting: 0, inFlight, oldestWaitMs: 0, ended: 0, failed: 0, instances };
    this.reconciler.report({ router, seq: ++this.#seq, functions: [entry], suspects: [], ...change });
  }

  /** Uids of the instances that serve the function, as the pool manager has heard. */
  warm(): string[] {
    return [...this.platform.observe().instances.values()].flatMap(({ uid, echo }) => (echo?.state === "warm" ? [uid] : [])).sort();
  }

  states(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const uid of this.platform.uids()) {
      const { state } = this.platform.life(uid)?.echo() ?? { state: "?" };
      counts[state] = (counts[state] ?? 0) + 1;
    }
    return counts;
  }

  doubts(): string[] {
    return this.events.flatMap((event) => (event.type === "observation.doubted" ? [event.message] : []));
  }
}
