import { API_KEY_HEADER, type ApiKeys } from "../../pool-manager/client/api-keys.ts";
import type { PoolManagerLink, RouterPeer, TableFunction } from "../../pool-manager/client/contract.ts";
import { HOP_HEADER } from "../../runtime-images/protocol/headers.ts";
import type { AccessLog } from "../access-log.ts";
import { type Clock, processClock } from "../clock.ts";
import type { RouterConfig } from "../config.ts";
import type { Exchange } from "../downstream/exchange.ts";
import { TrustedProxies } from "../downstream/trusted-proxies.ts";
import { RouterError } from "../errors.ts";
import type { Limiter } from "../limiter/limiter.ts";
import type { RouterMetrics } from "../metrics.ts";
import type { Traces } from "../traces/traces.ts";
import { type Transport, Upstreams } from "../upstream/upstreams.ts";
import { DemandReporter } from "./demand-reporter.ts";
import { tellPeers } from "./leave-notice.ts";
import { SlotOwnership } from "./ownership.ts";
import { PendingLookups } from "./pending-lookups.ts";
import { ServedRevision, type Shared } from "./served-revision.ts";
import { Table } from "./table.ts";
import { Usage } from "./usage.ts";

/** Every function that this router can invoke, with its slots and its running invocations. */
export class ServedRevisions implements Shared {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly metrics: RouterMetrics;
  readonly usage = new Usage();
  readonly reporter: DemandReporter;
  readonly table: Table;
  readonly pendingLookups: PendingLookups;
  readonly #peers: SlotOwnership;
  readonly #byName = new Map<string, ServedRevision>();
  readonly #byUid = new Map<string, Set<ServedRevision>>();
  #unsubscribe: () => void = () => {};

  #link: PoolManagerLink | null = null;

  /** Null: there is no access log. */
  readonly accessLog: AccessLog | null;

  readonly traces: Traces | null;

  readonly introduction: readonly string[];

  readonly exposeErrors: boolean;

  readonly #keys: ApiKeys | null;
  readonly #proxies: TrustedProxies;

  constructor(
    routerId: string,
    metrics: RouterMetrics,
    accessLog: AccessLog | null,
    config: RouterConfig,
    { clock = processClock, transport = new Upstreams(), traces = null }: { clock?: Clock; transport?: Transport; traces?: Traces | null } = {},
  ) {
    this.clock = clock;
    this.transport = transport;
    this.traces = traces;
    this.pendingLookups = new PendingLookups(clock);
    this.introduction = config.ownKey === null ? [HOP_HEADER, routerId] : [HOP_HEADER, routerId, API_KEY_HEADER, config.ownKey];
    this.exposeErrors = config.exposeErrors;
    this.#keys = config.keys;
    this.#proxies = new TrustedProxies(config.trustedProxies);
    this.accessLog = accessLog;
    this.#peers = new SlotOwnership(routerId);
    this.metrics = metrics;
    this.reporter = new DemandReporter(routerId, (report) => this.#link?.report(report), clock.now, clock.after, this.usage.take);
    this.table = new Table(
      {
        upsert: (fn) => this.#upsert(fn),
        removed: (_key, name) => this.#removed(name),
        endpointGone: (endpoint) => this.transport.close(endpoint),
      },
      clock.now,
    );
  }

  /** Begins to follow the table and to report demand. */
  follow(link: PoolManagerLink): void {
    this.#link = link;
    this.#unsubscribe = link.subscribe((change) => {
      if (change.type === "routers") this.#routers(change.routers);
      else this.table.apply(change);
      if (change.type === "snapshot") this.pendingLookups.release();
    });
    this.reporter.start();
  }

  /** Whether the sender is a router or a trusted proxy. With keys its role has been checked; without, only a router knows a router's id. */
  trusts(exchange: Exchange): boolean {
    return this.#isRouter(exchange) || this.#proxies.has(exchange.remoteAddress);
  }

  /** Another router has left in the list what it believes. */
  believed(exchange: Exchange, list: string): string {
    if (this.#isRouter(exchange)) return list;
    return this.#proxies.has(exchange.remoteAddress) ? this.#proxies.believed(list) : "";
  }

  /** Without keys anybody may say that it is a router; only routers know their ids. */
  #isRouter(exchange: Exchange): boolean {
    const hop = exchange.header(HOP_HEADER);
    return hop !== undefined && (this.#keys !== null || this.#peers.has(hop));
  }

  /** The revision that gets the next invocation of this function. */
  next(name: string): ServedRevision | undefined {
    const entry = this.#byName.get(name);
    const revision = entry?.nextRevision() ?? null;
    return revision === null ? entry : (this.#byName.get(`${name}@${revision}`) ?? entry);
  }

  /** A served revision of a function, by its id or an alias. */
  version(name: string, version: string): ServedRevision | undefined {
    const entry = this.#byName.get(name);
    if (!entry) return undefined;
    const revision = Object.hasOwn(entry.fn.aliases, version) ? entry.fn.aliases[version] : version;
    return revision === entry.fn.revision ? entry : this.#byName.get(`${name}@${revision}`);
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  revisions(): Iterable<ServedRevision> {
    return this.#byName.values();
  }

  /** The number of invocations in flight, over all functions. */
  get active(): number {
    let sum = 0;
    for (const entry of this.#byName.values()) sum += entry.active;
    return sum;
  }

  /** Leaves its slots to other routers; invocations in flight here continue. Resolves with the routers that could not be told, and why. */
  leave(): Promise<string[]> {
    this.#link?.leave();
    return tellPeers(this.#peers.others, this.introduction);
  }

  /** Believes another router that says that it leaves. False: the sender is no router that is known here. */
  peerLeaves(exchange: Exchange): boolean {
    const peer = this.#isRouter(exchange) ? this.#peers.leaves(exchange.header(HOP_HEADER) as string) : undefined;
    if (!peer) return false;
    this.transport.close(peer);
    this.#assignOwners();
    return true;
  }

  /** Ends the invocations that are still in flight. */
  close(): void {
    this.#unsubscribe();
    this.reporter.stop();
    for (const entry of this.#byName.values()) entry.endAll(() => new RouterError("SHUTTING_DOWN", "the router stops", 1000));
    this.transport.destroy();
  }

  #routers(routers: readonly RouterPeer[]): void {
    for (const gone of this.#peers.set(routers)) this.transport.close(gone);
    this.#assignOwners();
  }

  #assignOwners(): void {
    for (const entry of this.#byName.values()) entry.belongsTo(this.#ownerOf(entry.fn));
  }

  /** The owner of a function's slots, the same for all its revisions: instances move from one revision to another. */
  #ownerOf({ uid }: TableFunction): RouterPeer | null {
    return this.#peers.ownerOf(uid);
  }

  *limitersOf(uid: string): Iterable<Limiter> {
    for (const { limiter } of this.#byUid.get(uid) ?? []) yield limiter;
  }

  #upsert(fn: TableFunction): void {
    const known = this.#byName.get(fn.name);
    if (known) {
      known.update(fn);
      return this.reporter.again(fn.key);
    }
    const entry = new ServedRevision(fn, this.#ownerOf(fn), this);
    this.#byName.set(fn.name, entry);
    this.#byUid.set(fn.uid, (this.#byUid.get(fn.uid) ?? new Set()).add(entry));
    this.reporter.add({ key: fn.key, demand: () => entry.limiter.demand() });
    entry.update(fn);
  }

  #removed(name: string): void {
    const entry = this.#byName.get(name);
    if (!entry) return;
    this.#byName.delete(name);
    const { uid } = entry.fn;
    const revisions = this.#byUid.get(uid);
    if (revisions?.delete(entry) && revisions.size === 0) this.#byUid.delete(uid);
    this.reporter.delete(entry.fn.key);
    const successor = entry.fn.key === entry.fn.uid ? undefined : this.#byName.get(name.slice(0, name.indexOf("@")));
    if (!successor) return entry.deleted();
    entry.succeeded(successor);
    this.forget(name);
  }

  /** Removes the series of this name, unless another function has it by now. */
  forget(name: string): void {
    if (!this.has(name)) this.metrics.forget(name);
  }
}
