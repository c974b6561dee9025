import { DELETE_GRACE_MS, type PoolManagerLink, type TableChange, type TableFunction } from "../../pool-manager/client/contract.ts";
import { RouterError } from "../../router/errors.ts";
import { Limiter } from "../../router/limiter/limiter.ts";
import type { Waiter } from "../../router/limiter/queue.ts";
import type { Reservation } from "../../router/limiter/slot.ts";
import { type Failure, mayRetry } from "../../router/proxy/retry.ts";
import { DemandReporter } from "../../router/routing/demand-reporter.ts";
import { Table } from "../../router/routing/table.ts";
import { TrafficSplit } from "../../router/routing/traffic-split.ts";
import type { FakePlatform, FakeWorker } from "../fakes/fake-platform.ts";
import type { SimNetwork } from "./network.ts";
import type { Tally } from "./tally.ts";
import type { VirtualTime } from "./time.ts";

/** An invocation in the simulation; it does what invocation.ts does, on a network that is simulated. */
export class SimInvocation implements Waiter {
  readonly id: number;
  readonly arrivedAt: number;
  limiter: Limiter;
  /** How often user code began to run for it. */
  runs = 0;
  outcome: string | null = null;
  /** Whose slot it holds. */
  heldBy: Limiter | null = null;
  reservation: Reservation | null = null;
  readonly replayable: boolean;
  attempts = 0;
  #attempt = 0;
  readonly #router: SimRouter;
  #avoided: Map<string, number> | null = null;
  #cancelTimer: () => void = () => {};

  constructor(id: number, limiter: Limiter, router: SimRouter, replayable: boolean) {
    this.id = id;
    this.limiter = limiter;
    this.#router = router;
    this.arrivedAt = router.time.now();
    this.replayable = replayable;
  }

  get avoided(): ReadonlyMap<string, number> | null {
    return this.#avoided;
  }

  avoid(instanceUid: string, until: number): void {
    this.#avoided = (this.#avoided ?? new Map()).set(instanceUid, until);
  }

  granted(reservation: Reservation): void {
    this.reservation = reservation;
    this.heldBy = this.limiter;
    this.attempts += 1;
    const { fn } = { fn: this.limiter.function };
    const patience = fn.timeoutMs + (reservation.loaded ? 0 : fn.loadTimeoutMs);
    this.#cancelTimer = this.#router.time.after(patience, () => this.#timedOut());
    this.#router.send(this, reservation, ++this.#attempt);
  }

  rejected(error: RouterError): void {
    this.end(error.code);
  }

  /** The instance answered this attempt. */
  answered(attempt: number, status: string): void {
    if (attempt !== this.#attempt || this.outcome !== null) return;
    if (status === "ok") this.reservation?.answered();
    this.end(status);
  }

  failed(attempt: number, failure: Failure): void {
    if (attempt !== this.#attempt || this.outcome !== null || !this.reservation) return;
    const { instanceUid, bootId } = this.reservation.endpoint;
    this.#cancelTimer();
    if (failure.kind === "refused") {
      this.#router.tally.add(`request ${failure.why}`);
      this.limiter.turnedAway(this, instanceUid, failure.why);
    } else {
      this.limiter.rest(instanceUid, "unreachable");
      this.#router.suspect(instanceUid, bootId, "unreachable");
    }
    this.#release();
    const bodyStarted = !this.replayable && failure.kind === "refused";
    if (!mayRetry(failure, { replayable: this.replayable, bodyStarted })) return this.end(failure.kind === "broken" ? "broken" : "unavailable");
    this.#router.tally.add("retried");
    this.limiter.requeue(this);
  }

  clientGone(): void {
    if (this.outcome !== null) return;
    if (!this.reservation) this.limiter.cancel(this);
    this.end("client gone");
  }

  end(outcome: string): void {
    if (this.outcome !== null) return;
    this.outcome = outcome;
    this.#cancelTimer();
    this.#release();
    this.#router.tally.add(`ended: ${outcome}`);
    this.#router.ended(this);
  }

  #timedOut(): void {
    if (!this.reservation) return;
    const { instanceUid, bootId } = this.reservation.endpoint;
    this.#router.suspect(instanceUid, bootId, "timeout");
    this.end("timeout");
  }

  #release(): void {
    this.reservation?.release();
    this.reservation = null;
  }
}

interface Served {
  invocation: SimInvocation;
  attempt: number;
  worker: FakeWorker;
  uid: string;
  functionUid: string;
  revision: string;
}

/** The router's own table, limiters and demand reports, over the simulated network. */
export class SimRouter {
  readonly time: VirtualTime;
  readonly tally: Tally;
  readonly limiters = new Map<string, Limiter>();
  /** Of functions that were removed: what runs has a grace, and they may come back meanwhile. */
  readonly leaving = new Set<Limiter>();
  readonly #splits = new Map<string, TrafficSplit>();
  readonly byName = new Map<string, TableFunction>();
  readonly invocations = new Set<SimInvocation>();
  readonly #parked: Served[] = [];
  readonly running: Served[] = [];
  readonly #network: SimNetwork;
  readonly #platform: FakePlatform;
  readonly #reporter: DemandReporter;
  readonly #table: Table;
  #link: PoolManagerLink;
  #unsubscribe: () => void = () => {};
  #connection = 0;
  #lastDelivery = 0;
  #nextId = 1;
  /** Called when user code begins to run. */
  onRun: (served: Served) => void = () => {};
  /** Called when a report has reached the pool manager. */
  onHeard: () => void = () => {};
  hangs: () => boolean = () => false;

  constructor(time: VirtualTime, tally: Tally, network: SimNetwork, platform: FakePlatform, link: PoolManagerLink) {
    this.time = time;
    this.tally = tally;
    this.#network = network;
    this.#platform = platform;
    this.#link = link;
    this.#reporter = new DemandReporter("sim", (report) => this.#report(report), time.now, time.after);
    this.#table = new Table({
      upsert: (fn) => this.#upsert(fn),
      removed: (key, name) => this.#removed(key, name),
      endpointGone: () => {},
    });
    this.connect(link);
    this.#reporter.start();
  }

  /** The table is a stream: what was sent arrives in order, until the connection breaks. */
  connect(link: PoolManagerLink): void {
    this.#link = link;
    this.#unsubscribe();
    const connection = ++this.#connection;
    const cutOffMs = this.#network.cutOffUntil - this.time.now();
    if (cutOffMs > 0) {
      this.time.after(cutOffMs, () => connection === this.#connection && this.connect(this.#link));
      return;
    }
    this.#unsubscribe = link.subscribe((change) => {
      if (connection !== this.#connection) return;
      if (this.#network.fault("table link broken", 0.01)) {
        this.#connection += 1;
        this.time.after(this.time.between(10, 500), () => this.connect(this.#link));
        return;
      }
      this.#lastDelivery = Math.max(this.#lastDelivery, this.time.now() + this.time.between(0.1, 5));
      this.time.after(this.#lastDelivery - this.time.now(), () => connection === this.#connection && this.#apply(change));
    });
  }

  /** Nothing reaches it of the pool manager, and the pool manager hears nothing of it, for so long. */
  cutOff(ms: number): void {
    this.#network.cutOffUntil = this.time.now() + ms;
    this.connect(this.#link);
  }

  invoke(name: string, replayable: boolean): SimInvocation | null {
    const limiter = this.#choose(name);
    if (!limiter) return null;
    const invocation = new SimInvocation(this.#nextId++, limiter, this, replayable);
    this.invocations.add(invocation);
    limiter.acquire(invocation);
    return invocation;
  }

  /** As the router does it: the revision whose turn it is. */
  #choose(name: string): Limiter | undefined {
    const fn = this.byName.get(name);
    if (!fn) return undefined;
    const split = this.#splits.get(fn.key)?.with(fn.split) ?? new TrafficSplit(fn.split);
    this.#splits.set(fn.key, split);
    const revision = split.next();
    const version = revision === null ? undefined : this.byName.get(`${name}@${revision}`);
    return this.limiters.get((version ?? fn).key);
  }

  ended(invocation: SimInvocation): void {
    this.invocations.delete(invocation);
  }

  suspect(uid: string, bootId: string, reason: "timeout" | "unreachable"): void {
    this.#reporter.suspect({ uid, bootId, reason });
  }

  /** One attempt: to the instance, through its admission, back. */
  send(invocation: SimInvocation, { endpoint }: Reservation, attempt: number): void {
    const slow = this.#network.fault("invocation delayed", 0.03) ? this.time.between(20, 300) : 0;
    const functionUid = invocation.limiter.function.uid;
    this.time.after(this.time.between(0.1, 2) + slow, () => {
      const found = this.#reach(endpoint.host, endpoint.port);
      if (!found) return this.#reply(() => invocation.failed(attempt, { kind: "unsent" }));
      this.#admit({ invocation, attempt, worker: found.worker, uid: found.uid, functionUid, revision: endpoint.revision }, false);
    });
  }

  /** After each step: parked requests are asked about again, and those on dead workers break. */
  sweep(): void {
    for (const served of this.#parked.splice(0)) {
      if (!this.#lives(served)) this.#reply(() => served.invocation.failed(served.attempt, { kind: "broken" }));
      else this.#admit(served, true);
    }
    for (const served of [...this.running]) {
      if (this.#lives(served)) continue;
      this.running.splice(this.running.indexOf(served), 1);
      this.#reply(() => served.invocation.failed(served.attempt, { kind: "broken" }));
    }
    for (const limiter of this.limiters.values()) {
      const check = limiter.nextCheck();
      if (check !== null && check <= this.time.now()) limiter.check();
    }
  }

  #admit(served: Served, parked: boolean): void {
    const { invocation, attempt, worker, uid } = served;
    const admit = worker.admission.admit(served.functionUid, served.revision, parked);
    if ("refuse" in admit) {
      this.#platform.settle(uid);
      return this.#reply(() => invocation.failed(attempt, { kind: "refused", why: admit.refuse }));
    }
    if ("failed" in admit) return this.#reply(() => invocation.answered(attempt, "load failed"));
    if ("park" in admit) {
      this.#parked.push(served);
      return;
    }
    invocation.runs += 1;
    this.running.push(served);
    this.onRun(served);
    if (this.hangs()) return;
    this.time.after(this.time.between(1, 120), () => {
      const at = this.running.indexOf(served);
      if (at < 0) return;
      this.running.splice(at, 1);
      worker.admission.finish();
      this.#platform.settle(uid);
      this.#reply(() => invocation.answered(attempt, "ok"));
    });
  }

  /** Addresses are used again: sometimes another instance answers there. */
  #reach(host: string, port: number): { uid: string; worker: FakeWorker } | undefined {
    const found = this.#platform.at(host, port);
    const other = this.time.pick(this.#platform.uids());
    const worker = other ? this.time.pick(this.#platform.workersOf(other)) : undefined;
    if (!other || !worker || !this.#network.fault("invocation misrouted", 0.04)) return found;
    return { uid: other, worker };
  }

  #reply(effect: () => void): void {
    this.time.after(this.time.between(0.1, 2), effect);
  }

  #lives({ uid, worker }: Served): boolean {
    return this.#platform.workersOf(uid).includes(worker);
  }

  #report(report: Parameters<PoolManagerLink["report"]>[0]): void {
    const copy = structuredClone(report);
    if (this.#network.isCutOff || this.#network.fault("demand dropped", 0.05)) return;
    const late = this.#network.fault("demand delayed", 0.05) ? this.time.between(20, 1500) : 0;
    const arrive = () => {
      this.#link.report(copy);
      this.onHeard();
    };
    if (this.#network.fault("demand duplicated", 0.05)) this.time.after(this.time.between(0, 100), arrive);
    this.time.after(this.time.between(0.1, 2) + late, arrive);
  }

  #apply(change: TableChange): void {
    if (change.type !== "routers") this.#table.apply(structuredClone(change));
  }

  #upsert(fn: TableFunction): void {
    this.byName.set(fn.name, fn);
    const { key } = fn;
    let limiter = this.limiters.get(key);
    if (!limiter) {
      const siblings = () => [...this.limiters.values()].filter((one) => one.function.uid === fn.uid);
      limiter = new Limiter(fn, this.time.now, (urgent) => this.#reporter.changed(key, urgent), siblings);
      this.limiters.set(key, limiter);
      const own = limiter;
      this.#reporter.add({ key, demand: () => own.demand() });
    }
    limiter.update(fn);
    this.#reporter.again(key);
  }

  #removed(key: string, name: string): void {
    this.byName.delete(name);
    this.#reporter.delete(key);
    const limiter = this.limiters.get(key);
    const successor = name.includes("@") ? this.byName.get(name.slice(0, name.indexOf("@"))) : undefined;
    if (limiter && successor) return this.#succeeded(key, limiter, this.limiters.get(successor.key) as Limiter);
    if (!limiter) return;
    this.limiters.delete(key);
    this.leaving.add(limiter);
    limiter.rejectAll(() => new RouterError("FUNCTION_NOT_FOUND", "deleted"));
    this.time.after(DELETE_GRACE_MS, () => {
      for (const invocation of [...this.invocations]) if (invocation.limiter === limiter) invocation.end("deleted");
      this.leaving.delete(limiter);
    });
  }

  #succeeded(key: string, limiter: Limiter, successor: Limiter): void {
    this.limiters.delete(key);
    successor.adopt(limiter);
    for (const invocation of [...this.invocations]) {
      if (invocation.limiter !== limiter) continue;
      invocation.limiter = successor;
      invocation.heldBy = successor;
      this.tally.add(invocation.reservation ? "rerouted running" : "rerouted waiting");
      if (invocation.reservation) continue;
      limiter.cancel(invocation);
      successor.acquire(invocation);
    }
  }
}
