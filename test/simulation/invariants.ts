import { DEMAND_EXPIRY_MS } from "../../pool-manager/client/contract.ts";
import type { FunctionRegistry } from "../../pool-manager/functions/registry.ts";
import type { OpenOrder } from "../../pool-manager/platform/platform.ts";
import type { PoolSpec, RemoveReason } from "../../pool-manager/pool/decide/world.ts";
import type { PoolEvent } from "../../pool-manager/pool/events.ts";
import type { Echo } from "../../runtime-images/protocol/messages.ts";
import type { FakeWorker } from "../fakes/fake-network.ts";
import type { FakePlatform } from "../fakes/fake-platform.ts";
import { PoolInvariants } from "./checks/pool-invariants.ts";
import { QueueInvariants } from "./checks/queue-invariants.ts";
import type { SimRouter } from "./router.ts";
import type { Tally } from "./tally.ts";
import type { VirtualTime } from "./time.ts";
import type { Served } from "./transport.ts";

interface Seen {
  bootId: string;
  state: string;
  functionUid: string | null;
  epoch: number;
  /** Failed, or of a function that is no more. */
  strandedSince: number | null;
}

/** Orphans, failed and misbound instances are collected within this. */
const COLLECT_MS = 8000;

/** The start timeout of the simulated pool managers. */
export const START_TIMEOUT_MS = 2000;
/** A pool manager that has seen an instance for a shorter time cannot have found this. */
const SEEN_MS: Partial<Record<RemoveReason, number>> = { "start-timeout": START_TIMEOUT_MS, unreachable: START_TIMEOUT_MS, idle: 1500, "pool-shrunk": 5000 };

/** The invariants of docs/invariants.md, by their ids: checked after every step, from outside, by other means than the code's own. */
export class Invariants {
  readonly #time: VirtualTime;
  readonly #platform: FakePlatform;
  readonly #registry: FunctionRegistry;
  readonly #pools: PoolInvariants;
  readonly #tally: Tally;
  readonly #seen = new Map<string, Seen>();
  readonly #claims = new Map<string, string>();
  readonly #concurrency = new Map<string, number>();
  readonly #queues: QueueInvariants;
  /** Instances that the router has used, and since when no report of the router has come. */
  readonly #used = new Set<string>();
  #heardAt = 0;
  /** When the present pool manager came, and whether it has had its first complete view. */
  #managerSince = 0;
  #leads = false;
  #violation: Error | null = null;

  constructor(time: VirtualTime, platform: FakePlatform, registry: FunctionRegistry, pools: readonly PoolSpec[], tally: Tally) {
    this.#time = time;
    this.#platform = platform;
    this.#registry = registry;
    this.#pools = new PoolInvariants(time, platform, registry, pools, (message) => this.#fail(message));
    this.#tally = tally;
    this.#queues = new QueueInvariants(time, (message) => this.#fail(message));
  }

  /** I5. One accepted order for each instance, boot and epoch. */
  accepted(order: OpenOrder, { bootId, epoch }: Echo): void {
    if (bootId !== order.bootId) this.#fail(`5: ${bootId} accepted an order for ${order.bootId}`);
    const key = `${order.uid}/${order.bootId}/${order.epoch}`;
    const claim = `${order.functionUid}/${order.revision}`;
    if (this.#claims.has(key)) this.#fail(`5: two orders were accepted for ${key}: ${this.#claims.get(key)} and ${claim}`);
    if (epoch !== order.epoch + 1) this.#fail(`5: epoch ${epoch} after an order for ${order.epoch}`);
    this.#claims.set(key, claim);
    this.#concurrency.set(`${order.functionUid}/${order.revision}`, order.settings.concurrency);
  }

  /** I2, I4 and I8: user code begins to run. */
  ran({ sent, worker, uid }: Served): void {
    const { exchange, functionUid, revision, sentTo } = sent;
    if (worker.functionUid !== functionUid || worker.revision !== revision) {
      this.#fail(`2: ${functionUid}/${revision} runs on a worker of ${worker.functionUid}/${worker.revision}`);
    }
    const own = this.#platform.life(uid)?.echo().functionUid;
    if (own !== functionUid) this.#fail(`2: ${functionUid} runs on ${uid}, which serves ${own}`);
    // One that went astray is no use that anybody could tell of.
    if (sentTo === uid) this.#used.add(uid);
    if (exchange.runs > 1) this.#fail(`8: ${exchange.id} ran ${exchange.runs} times`);
    const cap = this.#concurrency.get(`${functionUid}/${revision}`) ?? 0;
    if (worker.admission.running > cap) this.#fail(`4: ${worker.admission.running} run on a worker of concurrency ${cap}`);
  }

  /** I10. Deletions and in-place changes within the budget; none while the world is not completely known. */
  event(event: PoolEvent): void {
    const removing = event.type === "instance.removing";
    if (!removing && !(event.type === "instance.specialized" && event.start === "warm")) return;
    if (removing && !this.#platform.observe().synced) this.#fail("10: a deletion was decided on an unsynced observation");
    this.#pools.disrupted(event.pool, removing);
  }

  /** A new manager begins with a new window: it cannot know what its predecessor did. */
  newManager(): void {
    this.#pools.newManager();
    this.#managerSince = this.#time.now();
    this.#leads = false;
  }

  /** The present manager has had its first complete view. */
  leads(): void {
    this.#leads = true;
  }

  /** I16 and I17. A pool manager does nothing before its first complete view, and nothing by ages from before its time or for want of a function. */
  decided(event: PoolEvent): void {
    if (!this.#leads && DECIDED.has(event.type)) this.#fail(`16: ${event.type} before the first complete view`);
    if (event.type !== "instance.removing") return;
    const seenMs = this.#time.now() - this.#managerSince;
    if (seenMs < (SEEN_MS[event.reason] ?? 0)) this.#fail(`16: ${event.instance} is removed (${event.reason}) after ${seenMs} ms of this pool manager`);
    const unheardMs = this.#time.now() - this.#heardAt;
    if ((event.reason === "idle" || event.reason === "scaled-down") && unheardMs > DEMAND_EXPIRY_MS && this.#used.has(event.instance))
      this.#fail(`17: ${event.instance} is removed as idle, and its router is not heard for ${unheardMs} ms`);
    const isMasterless = event.reason === "orphaned" || event.reason === "deleted-function";
    if (isMasterless && event.function && this.#registry.byUid(event.function))
      this.#fail(`16: ${event.instance} is removed (${event.reason}), and its function is there`);
  }

  /** A report of the router has reached the pool manager. */
  heard(): void {
    this.#heardAt = this.#time.now();
  }

  /** I18. When faults have ceased, every function whose code loads is served. */
  served(name: string, outcome: string): void {
    if (outcome !== "ok") this.#fail(`18: an invocation of ${name} at rest: ${outcome}`);
  }

  restarted(uid: string, act: () => void): void {
    act();
    this.#note(uid);
  }

  /** After every step; I19: no more instances are alive than the pool may have. */
  check(router: SimRouter): void {
    if (this.#violation) throw this.#violation;
    for (const uid of this.#platform.uids()) this.#note(uid);
    for (const uid of [...this.#seen.keys()]) if (!this.#platform.life(uid)) this.#gone(uid);
    this.#instances(router);
    this.#workers(router);
    this.#queues.check(router);
    this.#pools.check();
  }

  /** I12 and I15: faults have ceased and everything has come to rest. */
  atRest(router: SimRouter): void {
    if (router.invocations.size > 0) this.#fail(`15: ${router.invocations.size} invocations have not ended`);
    const states = this.#platform.uids().map((uid) => this.#platform.life(uid)?.echo());
    for (const echo of states) {
      if (echo?.state === "prewarmed") continue;
      const record = echo?.functionUid ? this.#registry.byUid(echo.functionUid) : undefined;
      if (echo?.state !== "warm" || !record) this.#fail(`12: ${echo?.uid} is left behind: ${JSON.stringify(echo)}`);
    }
    this.#pools.atRest();
    for (const record of this.#registry.list()) {
      const own = states.filter((echo) => echo?.functionUid === record.uid).length;
      if (own > record.scaling.maxScale) this.#fail(`15: ${record.name} keeps ${own} instances, maxScale is ${record.scaling.maxScale}`);
    }
  }

  /** I1 and I12. One function in its life, an epoch that does not fall, and no way back after a restart; an instance that serves no function is collected. */
  #note(uid: string): void {
    const echo = this.#platform.life(uid)?.echo();
    if (!echo) return;
    const before = this.#seen.get(uid);
    if (before && before.bootId === echo.bootId) this.#sameBoot(before, echo);
    else if (before && echo.state !== "failed") this.#fail(`1: ${uid} restarted and is ${echo.state}`);
    const { bootId, state, functionUid, epoch } = echo;
    const stranded = state === "failed" || (functionUid !== null && !this.#registry.byUid(functionUid) && state !== "draining");
    const strandedSince = stranded ? (before?.strandedSince ?? this.#time.now()) : null;
    this.#seen.set(uid, { bootId, state, functionUid, epoch, strandedSince });
    if (strandedSince === null) return;
    const ms = this.#time.now() - strandedSince;
    if (ms > COLLECT_MS) this.#fail(`12: ${uid} is ${state} of ${functionUid} for ${ms} ms`);
  }

  #sameBoot(before: Seen, { uid, state, functionUid, epoch }: Echo): void {
    if (before.functionUid && before.functionUid !== functionUid) this.#fail(`1: ${uid} went from ${before.functionUid} to ${functionUid}`);
    if (epoch < before.epoch) this.#fail(`1: the epoch of ${uid} fell from ${before.epoch} to ${epoch}`);
    if (before.state !== state) this.#tally.add(`${before.state} → ${state}`);
  }

  #gone(uid: string): void {
    const state = this.#seen.get(uid)?.state;
    if (state !== "gone") this.#tally.add(`${state} → gone`);
    this.#seen.delete(uid);
  }

  /** I4. The invocations that run on an instance with a slot of it are within its concurrency. */
  #instances(router: SimRouter): void {
    const running = new Map<string, number>();
    for (const { uid, sent } of router.transport.running) {
      // One that came to this instance by mistake has its slot elsewhere: here only the worker itself can turn it away.
      if (sent.sentTo === uid && sent.exchange.outcome === null) running.set(uid, (running.get(uid) ?? 0) + 1);
    }
    for (const [uid, count] of running) {
      const cap = Math.max(...this.#platform.workersOf(uid).map((worker) => this.#capOf(worker)), 0);
      if (count > cap) this.#fail(`4: ${count} invocations run on ${uid}, concurrency is ${cap}`);
    }
  }

  /** I3 and I4: what runs is counted and within its concurrency, and no worker has left with an invocation on it unless it was ended. */
  #workers(router: SimRouter): void {
    for (const uid of this.#platform.uids()) {
      for (const worker of this.#platform.workersOf(uid)) {
        const running = router.transport.running.filter((served) => served.worker === worker).length;
        if (running > this.#capOf(worker)) this.#fail(`4: ${running} invocations run on a worker of ${uid}, concurrency is ${this.#capOf(worker)}`);
        if (running !== worker.admission.running) this.#fail(`3: ${running} run on a worker that counts ${worker.admission.running}`);
      }
    }
  }

  #capOf({ functionUid, revision }: FakeWorker): number {
    return this.#concurrency.get(`${functionUid}/${revision}`) ?? 0;
  }

  /** Some checks run inside the code that they check, which may take an error for a lost order and continue: `check` repeats it. */
  #fail(message: string): never {
    this.#violation ??= new Error(`invariant I${message}`);
    throw this.#violation;
  }
}

const DECIDED: ReadonlySet<PoolEvent["type"]> = new Set(["instance.removing", "instance.creating", "instance.specialized"]);
