import type { PoolManagerLink, TableChange } from "../../pool-manager/client/contract.ts";
import type { Limiter } from "../../router/limiter/limiter.ts";
import { RouterMetrics } from "../../router/metrics.ts";
import { handleRequest } from "../../router/proxy/handler.ts";
import { ServedRevisions } from "../../router/routing/served-revisions.ts";
import type { FakePlatform } from "../fakes/fake-platform.ts";
import { routerConfig } from "../helpers/builders/router-config.ts";
import { SimExchange } from "./exchange.ts";
import type { SimNetwork } from "./network.ts";
import type { Tally } from "./tally.ts";
import type { VirtualTime } from "./time.ts";
import { SimTransport } from "./transport.ts";

const CONFIG = routerConfig();
const BESIDES = { unready: null, manage: null };

/** The router's own code over virtual time and a simulated network; here are its link to the pool manager, and its clients. */
export class SimRouter {
  readonly transport: SimTransport;
  readonly invocations = new Set<SimExchange>();
  readonly #time: VirtualTime;
  readonly #tally: Tally;
  readonly #network: SimNetwork;
  readonly #functions: ServedRevisions;
  /** Limiters of deleted functions, as long as something is in flight there. */
  readonly #leaving = new Set<Limiter>();
  readonly #exchanges = new Map<string, SimExchange>();
  #link: PoolManagerLink;
  #listener: (change: TableChange) => void = () => {};
  #unsubscribe: () => void = () => {};
  #connection = 0;
  #lastDelivery = 0;
  #nextId = 1;
  /** Called when a report has reached the pool manager. */
  onHeard: () => void = () => {};

  constructor(time: VirtualTime, tally: Tally, network: SimNetwork, platform: FakePlatform, link: PoolManagerLink) {
    this.#time = time;
    this.#tally = tally;
    this.#network = network;
    this.#link = link;
    this.transport = new SimTransport({ time, tally, network, platform, exchangeOf: (id) => this.#exchanges.get(id) as SimExchange });
    this.#functions = new ServedRevisions("sim", new RouterMetrics(), null, CONFIG, { clock: time, transport: this.transport });
    this.#functions.follow({
      subscribe: (listener) => {
        this.#listener = listener;
        return () => {};
      },
      report: (report) => this.#report(report),
      leave: () => {},
    });
    this.connect(link);
  }

  /** The limiters of the served revisions, and those where something is still in flight. */
  *limiters(): Iterable<Limiter> {
    for (const { limiter } of this.#functions.revisions()) yield limiter;
    yield* this.#leaving;
  }

  /** The table is a stream: what was sent arrives in order, until the connection breaks. */
  connect(link: PoolManagerLink): void {
    this.#link = link;
    this.#unsubscribe();
    const connection = ++this.#connection;
    const cutOffMs = this.#network.cutOffUntil - this.#time.now();
    if (cutOffMs > 0) {
      this.#listener({ type: "lost", reason: "cut off" });
      this.#time.after(cutOffMs, () => connection === this.#connection && this.connect(this.#link));
      return;
    }
    this.#unsubscribe = link.subscribe((change) => {
      if (connection !== this.#connection) return;
      if (this.#network.fault("table link broken", 0.01)) {
        this.#connection += 1;
        this.#listener({ type: "lost", reason: "the link broke" });
        this.#time.after(this.#time.between(10, 500), () => this.connect(this.#link));
        return;
      }
      this.#lastDelivery = Math.max(this.#lastDelivery, this.#time.now() + this.#time.between(0.1, 5));
      this.#time.after(this.#lastDelivery - this.#time.now(), () => connection === this.#connection && this.#apply(change));
    });
  }

  /** Nothing reaches it of the pool manager, and the pool manager hears nothing of it, for so long. */
  cutOff(ms: number): void {
    this.#network.cutOffUntil = this.#time.now() + ms;
    this.connect(this.#link);
  }

  invoke(name: string, replayable: boolean): SimExchange {
    const exchange = new SimExchange(this.#nextId++, name, this.#time.now(), replayable, (ended) => this.#ended(ended));
    this.invocations.add(exchange);
    this.#exchanges.set(exchange.id, exchange);
    handleRequest(exchange, this.#functions, CONFIG, BESIDES);
    return exchange;
  }

  /** Whether it waits for its first instance. */
  waits(exchange: SimExchange): boolean {
    return exchange.attempts === 0 && this.#functions.has(exchange.name);
  }

  /** After each step. */
  sweep(): void {
    this.transport.sweep();
    for (const limiter of this.#leaving) if (limiter.demand().inFlight === 0) this.#leaving.delete(limiter);
  }

  #ended(exchange: SimExchange): void {
    this.invocations.delete(exchange);
    this.#tally.add(`ended: ${exchange.outcome}`);
    if (exchange.attempts > 1) this.#tally.add("retried");
  }

  #report(report: Parameters<PoolManagerLink["report"]>[0]): void {
    const copy = structuredClone(report);
    if (this.#network.isCutOff || this.#network.fault("demand dropped", 0.05)) return;
    const late = this.#network.fault("demand delayed", 0.05) ? this.#time.between(20, 1500) : 0;
    const arrive = () => {
      this.#link.report(copy);
      this.onHeard();
    };
    if (this.#network.fault("demand duplicated", 0.05)) this.#time.after(this.#time.between(0, 100), arrive);
    this.#time.after(this.#time.between(0.1, 2) + late, arrive);
  }

  #apply(change: TableChange): void {
    const before = [...this.#functions.revisions()].map(({ limiter, fn }) => ({ limiter, name: fn.name, ...limiter.demand() }));
    this.#listener(structuredClone(change));
    const served = new Set([...this.#functions.revisions()].map(({ limiter }) => limiter));
    for (const { limiter, name, waiting, inFlight } of before) {
      if (served.has(limiter)) continue;
      const [plain = name] = name.split("@");
      // Its successor has taken everything over.
      const isSucceeded = plain !== name && this.#functions.has(plain);
      if (!isSucceeded) {
        this.#leaving.add(limiter);
        continue;
      }
      if (waiting > 0) this.#tally.add("rerouted waiting", waiting);
      if (inFlight > 0) this.#tally.add("rerouted running", inFlight);
    }
  }
}
