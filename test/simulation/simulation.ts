import { NO_CLASSES, SizeClasses } from "../../pool-manager/functions/manifest/size-classes.ts";
import { FunctionRegistry } from "../../pool-manager/functions/registry.ts";
import { isRolling } from "../../pool-manager/functions/rollout.ts";
import type { OpenOrder } from "../../pool-manager/platform/platform.ts";
import type { PoolSpec } from "../../pool-manager/pool/decide/world.ts";
import type { PoolEvent } from "../../pool-manager/pool/events.ts";
import { Reconciler } from "../../pool-manager/pool/reconciler.ts";
import { FakePlatform } from "../fakes/fake-platform.ts";
import { memoryStore } from "../fakes/memory-store.ts";
import { Deployments } from "./acts/deployments.ts";
import { ListedFunctions } from "./acts/listed-functions.ts";
import { rogueOrder } from "./acts/rogue-order.ts";
import { simulatedPools, sizing } from "./acts/simulated-pool.ts";
import { Invariants, START_TIMEOUT_MS } from "./invariants.ts";
import { SimNetwork } from "./network.ts";
import { SimRouter } from "./router.ts";
import { Tally } from "./tally.ts";
import { VirtualTime } from "./time.ts";

export interface SimulationResult {
  seed: number;
  steps: number;
  /** Null when every invariant held. */
  violation: string | null;
  tally: Tally;
}

/** Faults occur in the first phase; in the second everything has to come to rest. */
const FAULTY_MS = 2000;
const QUIET_MS = 10_000;
const MIN_STEPS = 300;
/** A router that is cut off is so for longer than its reports and its instances' idle time last. */
const CUT_OFF_MS = 8000;
/** Each function is invoked once more in the end, and answered by then. */
const PROBE_MS = 4000;
/** An instance that a new pool manager does not hear at first is heard after this at the latest. */
const UNHEARD_MS = 1500;
/** A router counts a crash loop's delay from when it has heard of it. */
const HEARD_MS = 1000;

/** Classes by which functions move between two pools. */
const CLASSES = new SizeClasses(192 * 2 ** 20, [2 ** 30]);

/** Runs one seed: the same one gives the same run, step for step. `hasClasses`: functions move between the pools of two size classes. */
export async function simulate(seed: number, odds: Readonly<Record<string, number>> = {}, hasClasses = false): Promise<SimulationResult> {
  return new Simulation(seed, odds, hasClasses ? CLASSES : NO_CLASSES).run();
}

class Simulation {
  readonly #seed: number;
  readonly #time: VirtualTime;
  readonly #tally = new Tally();
  readonly #network: SimNetwork;
  readonly #platform: FakePlatform;
  readonly #registry: FunctionRegistry;
  readonly #router: SimRouter;
  readonly #invariants: Invariants;
  readonly #pools: PoolSpec[];
  #reconciler: Reconciler;
  /** Numbers the pool managers. */
  #life = 0;
  #term = 1;
  #faultyMs = FAULTY_MS;
  #steps = 0;
  /** When every crash loop's delay is over, for the router too. */
  #startsAgainAt = 0;
  readonly #listed: ListedFunctions;
  readonly #deployments: Deployments;

  constructor(seed: number, odds: Readonly<Record<string, number>>, classes: SizeClasses) {
    this.#seed = seed;
    this.#time = new VirtualTime(seed);
    this.#network = new SimNetwork(this.#time, this.#tally, odds);
    this.#platform = new FakePlatform(this.#network);
    this.#platform.outcome = (order) => this.#deployments.outcomeOf(order.digest);
    this.#platform.route = (order) => this.#route(order);
    this.#pools = simulatedPools(this.#time, seed, classes);
    this.#registry = new FunctionRegistry(
      memoryStore(),
      async (_n, _r, _i, layer) => `image-${layer}`,
      (uid) => {
        this.#listed.tell(uid);
        this.#reconciler.functionChanged(uid);
      },
      undefined,
      classes,
    );
    this.#deployments = new Deployments(this.#time, this.#network, this.#registry, classes);
    this.#listed = new ListedFunctions(this.#registry);
    this.#invariants = new Invariants(this.#time, this.#platform, this.#registry, this.#pools, this.#tally);
    this.#platform.onAccepted = (order, echo) => this.#invariants.accepted(order, echo);
    this.#reconciler = this.#newReconciler();
    this.#router = new SimRouter(this.#time, this.#tally, this.#network, this.#platform, this.#reconciler);
    this.#router.transport.onRun = (served) => this.#invariants.ran(served);
    this.#router.onHeard = () => this.#invariants.heard();
    this.#router.transport.hangs = () => this.#network.fault("function hangs", 0.01);
  }

  async run(): Promise<SimulationResult> {
    let violation: string | null = null;
    try {
      await this.#reconciler.start();
      this.#invariants.leads();
      this.#cutOff();
      this.#schedule();
      await this.#advance(this.#faultyMs);
      this.#network.faulty = false;
      this.#platform.setSynced(true);
      this.#reveal();
      this.#router.connect(this.#reconciler);
      await this.#advance(this.#faultyMs + QUIET_MS);
      this.#invariants.atRest(this.#router);
      await this.#advance(Math.max(this.#time.now(), this.#startsAgainAt));
      await this.#probe();
      if (this.#steps < MIN_STEPS) violation = `only ${this.#steps} steps`;
    } catch (error) {
      violation = `step ${this.#steps}, ${this.#time.now().toFixed(1)} ms: ${(error as Error).message}`;
    }
    this.#reconciler.close();
    return { seed: this.#seed, steps: this.#steps, violation, tally: this.#tally };
  }

  #advance(until: number): Promise<void> {
    return this.#time.run(until, () => {
      this.#steps += 1;
      this.#router.sweep();
      this.#invariants.check(this.#router);
    });
  }

  /** The router no longer reaches the pool manager, and continues. */
  #cutOff(): void {
    if (!this.#network.fault("router cut off", 0.02)) return;
    const from = this.#time.between(200, 1000);
    this.#faultyMs = from + CUT_OFF_MS;
    this.#time.after(from, () => this.#router.cutOff(CUT_OFF_MS));
  }

  /** Checks that every function whose code loads is served, whatever has happened. */
  async #probe(): Promise<void> {
    const probed = this.#registry.list().flatMap((record) => {
      const served = [record.active, ...Object.keys(record.traffic.split)];
      const loads = record.revisions.every(({ id, layer }) => !served.includes(id) || this.#deployments.outcomeOf(layer) === "loads");
      return loads && !isRolling(record.rollout) ? [{ name: record.name, invocation: this.#router.invoke(record.name, true) }] : [];
    });
    await this.#advance(this.#time.now() + PROBE_MS);
    for (const { name, invocation } of probed) this.#invariants.served(name, invocation.outcome ?? "not answered");
  }

  #schedule(): void {
    const every = (from: number, to: number, act: () => void, until = this.#faultyMs) => this.#time.every(from, to, act, until);
    for (let i = 0; i < 3; i++) void this.#deployments.deploy(`f${i}`);
    every(5, 60, () => this.#invoke());
    every(400, 1600, () => this.#burst());
    every(150, 600, () => void this.#deployments.change());
    every(100, 500, () => this.#harm());
    every(200, 600, () => this.#rogue());
    every(800, 1200, () => this.#platform.relist(), this.#faultyMs + QUIET_MS);
  }

  #invoke(): void {
    const name = `f${Math.floor(this.#time.between(0, 5))}`;
    const invocation = this.#router.invoke(name, this.#time.chance(0.8));
    if (!this.#network.fault("client gone", 0.05)) return;
    this.#time.after(this.#time.between(0, 80), () => invocation.clientGone());
  }

  #burst(): void {
    const name = `f${Math.floor(this.#time.between(0, 5))}`;
    for (let i = 0; i < 8; i++) this.#router.invoke(name, true);
  }

  #harm(): void {
    const uid = this.#time.pick(this.#platform.uids());
    if (uid && this.#network.fault("instance killed", 0.2)) this.#platform.kill(uid);
    else if (uid && this.#network.fault("worker crashed", 0.2)) this.#platform.crash(uid);
    else if (uid && this.#network.fault("instance restarted", 0.15)) this.#invariants.restarted(uid, () => this.#platform.restart(uid));
    else if (this.#network.fault("observation unsynced", 0.2)) {
      this.#platform.setSynced(false);
      this.#time.after(this.#time.between(50, 600), () => this.#platform.setSynced(true));
    } else if (this.#network.fault("manager restarted", 0.15)) void this.#restartManager();
  }

  /** The manager dies with all that it remembered; its successor lists instances that it has not heard, and perhaps not all functions. */
  async #restartManager(): Promise<void> {
    this.#reconciler.close();
    // The Lease came back from a backup, and the instances have heard of later terms.
    this.#term = this.#network.fault("terms from a backup", 0.1) ? Math.max(1, this.#term - 2) : this.#term + 1;
    const mute = new Set(this.#platform.uids().filter(() => this.#network.fault("instance unheard", 0.15)));
    this.#platform.restartView((uid) => mute.has(uid));
    for (const uid of mute) this.#time.after(this.#time.between(100, UNHEARD_MS), () => this.#platform.reach(uid));
    this.#listed.hide(() => this.#network.fault("function not listed yet", 0.15));
    this.#time.after(this.#time.between(50, 800), () => this.#reveal());
    const reconciler = this.#newReconciler();
    this.#reconciler = reconciler;
    this.#invariants.newManager();
    await reconciler.start();
    if (this.#reconciler !== reconciler) return;
    this.#invariants.leads();
    this.#router.connect(reconciler);
  }

  #reveal(): void {
    for (const uid of this.#listed.reveal()) this.#reconciler.functionChanged(uid);
  }

  /** Another claimant: a former leader, or one that believes in an older state. */
  #rogue(): void {
    const uid = this.#time.pick(this.#platform.uids());
    const life = uid ? this.#platform.life(uid) : undefined;
    const record = this.#time.pick(this.#registry.list());
    if (!uid || !life || !record || !this.#network.fault("rogue order", 0.5)) return;
    const order = rogueOrder({ record, uid, echo: life.echo(), term: this.#term }, this.#network, this.#time);
    this.#platform.load(order, new Uint8Array()).then(
      (answer) => this.#tally.add(answer.accepted ? "rogue order accepted" : `order ${answer.refusal}`),
      () => {},
    );
  }

  #route(order: OpenOrder): string {
    const other = this.#time.pick(this.#platform.uids());
    return other && other !== order.uid && this.#network.fault("order misrouted", 0.02) ? other : order.uid;
  }

  #newReconciler(): Reconciler {
    const life = ++this.#life;
    const pace = { urgent: 2, refill: 1, refillDelayMs: 20, startTimeoutMs: START_TIMEOUT_MS, lostAfterMs: 500, bindDelayMs: 50, bindAfterMs: 0 };
    const onEvent = (event: PoolEvent) => {
      if (life === this.#life) this.#invariants.decided(event);
      this.#onEvent(event);
    };
    return new Reconciler({
      platform: this.#platform,
      functions: this.#listed.asRegistry(),
      layer: async () => new Uint8Array(),
      clock: this.#time,
      term: this.#term,
      ...sizing(this.#pools, this.#time, { pace, onEvent }),
    });
  }

  #onEvent(event: PoolEvent): void {
    if (event.type === "order.refused") this.#tally.add(`order ${event.refusal}`);
    else this.#tally.add(event.type);
    if (event.type === "instance.removing") this.#tally.add(`removed: ${event.reason}`);
    if (event.type === "revision.crash-loop") this.#startsAgainAt = Math.max(this.#startsAgainAt, this.#time.now() + event.delayMs + HEARD_MS);
    this.#invariants.event(event);
  }
}
