import type { Endpoint } from "../../pool-manager/client/contract.ts";
import type { ResponseHandler, UpstreamRequest } from "../../router/upstream/http1-connection.ts";
import type { Address, Destination, Transport } from "../../router/upstream/upstreams.ts";
import { CALL_ID_HEADER, ERROR_HEADER, FUNCTION_HEADER, PARKED_HEADER, REFUSED_HEADER, REVISION_HEADER } from "../../runtime-images/protocol/headers.ts";
import type { FakeWorker } from "../fakes/fake-network.ts";
import type { FakePlatform } from "../fakes/fake-platform.ts";
import type { SimExchange } from "./exchange.ts";
import type { SimNetwork } from "./network.ts";
import type { Tally } from "./tally.ts";
import type { VirtualTime } from "./time.ts";

/** A request of a router to an instance. */
interface Sent {
  exchange: SimExchange;
  handler: ResponseHandler;
  /** The fields that its head names. */
  functionUid: string;
  revision: string;
  /** The instance that it was sent to. */
  sentTo: string;
  isAborted: boolean;
  /** The instance has it, or a part of it. */
  isWritten: boolean;
}

/** A request that has reached a worker. */
export interface Served {
  sent: Sent;
  worker: FakeWorker;
  /** The instance that it has reached, which may be another than it was sent to. */
  uid: string;
  parkedAt: number | null;
}

interface SimTransportOptions {
  time: VirtualTime;
  tally: Tally;
  network: SimNetwork;
  platform: FakePlatform;
  /** The invocation of a call id. */
  exchangeOf(callId: string): SimExchange;
}

/** The network between a router and instances, and the instances' side of it. */
export class SimTransport implements Transport {
  readonly #options: SimTransportOptions;
  /** Requests whose end their router has not been told. */
  readonly #open = new Set<Sent>();
  readonly #parked: Served[] = [];
  readonly running: Served[] = [];
  /** Called when user code begins to run. */
  onRun: (served: Served) => void = () => {};
  hangs: () => boolean = () => false;

  constructor(options: SimTransportOptions) {
    this.#options = options;
  }

  to(address: Address): Destination {
    return { send: (request, handler) => this.#send(address as Endpoint, request, handler) };
  }

  close(): void {}

  destroy(): void {}

  /** How many requests of each function run or may run, by its uid; a request that ended before it was written does not count. */
  open(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { functionUid, exchange, isWritten } of this.#open) {
      if (isWritten || exchange.outcome === null) counts.set(functionUid, (counts.get(functionUid) ?? 0) + 1);
    }
    return counts;
  }

  /** After each step: parked requests are asked about again, and those on dead workers break. */
  sweep(): void {
    for (const served of this.#parked.splice(0)) {
      if (this.#lives(served)) this.#admit(served);
      else this.#fails(served.sent, "the worker ended");
    }
    for (const served of [...this.running]) {
      if (this.#lives(served)) continue;
      this.running.splice(this.running.indexOf(served), 1);
      this.#fails(served.sent, "the worker ended");
    }
  }

  #send(endpoint: Endpoint, { head }: UpstreamRequest, handler: ResponseHandler): void {
    const { time, network, exchangeOf } = this.#options;
    const exchange = exchangeOf(fieldOf(head, CALL_ID_HEADER));
    const [functionUid, revision] = [fieldOf(head, FUNCTION_HEADER), fieldOf(head, REVISION_HEADER)];
    const sent = { exchange, handler, functionUid, revision, sentTo: endpoint.instanceUid, isAborted: false, isWritten: false };
    exchange.attempts += 1;
    this.#open.add(sent);
    const slow = network.fault("invocation delayed", 0.03) ? time.between(20, 300) : 0;
    time.after(time.between(0.1, 2) + slow, () => this.#arrives(sent, endpoint));
  }

  #arrives(sent: Sent, { host, port }: Endpoint): void {
    const { exchange, handler } = sent;
    const found = this.#reach(host, port);
    if (!found) return this.#fails(sent, "nobody listens");
    handler.onConnect((reason) => {
      sent.isAborted = true;
      this.#fails(sent, reason?.message ?? "aborted");
    });
    if (sent.isAborted) return;
    sent.isWritten = true;
    if (exchange.body) exchange.body.started = true;
    this.#admit({ sent, ...found, parkedAt: null });
  }

  #admit(served: Served): void {
    const { time, tally, platform } = this.#options;
    const { sent, worker, uid } = served;
    const admit = worker.admission.admit(sent.functionUid, sent.revision, served.parkedAt !== null);
    if ("refuse" in admit) {
      platform.settle(uid);
      tally.add(`request ${admit.refuse}`);
      return this.#answers(sent, 503, [REFUSED_HEADER, admit.refuse]);
    }
    if ("failed" in admit) return this.#answers(sent, 502, [ERROR_HEADER, "FUNCTION_LOAD_FAILED"]);
    if ("park" in admit) {
      served.parkedAt ??= time.now();
      this.#parked.push(served);
      return;
    }
    if (served.parkedAt !== null) this.#reply(sent, () => sent.handler.onHeaders(102, [], () => {}, ""));
    this.#run(served);
  }

  #run(served: Served): void {
    const { time, platform } = this.#options;
    const { sent, worker, uid, parkedAt } = served;
    const parked = parkedAt === null ? [] : [PARKED_HEADER, String(time.now() - parkedAt)];
    sent.exchange.runs += 1;
    this.running.push(served);
    this.onRun(served);
    if (this.hangs()) return;
    time.after(time.between(1, 120), () => {
      const at = this.running.indexOf(served);
      if (at < 0) return;
      this.running.splice(at, 1);
      worker.admission.finish();
      platform.settle(uid);
      this.#answers(sent, 200, parked);
    });
  }

  #answers(sent: Sent, status: number, headers: readonly string[]): void {
    this.#reply(sent, () => {
      this.#open.delete(sent);
      sent.handler.onHeaders(status, headers, () => {}, "");
      sent.handler.onComplete();
    });
  }

  #fails(sent: Sent, why: string): void {
    this.#reply(sent, () => {
      this.#open.delete(sent);
      sent.handler.onError(new Error(why));
    });
  }

  /** Tells the router something of a request whose end it has not been told. */
  #reply(sent: Sent, tell: () => void): void {
    const { time } = this.#options;
    time.after(time.between(0.1, 2), () => this.#open.has(sent) && tell());
  }

  /** Addresses are used again: sometimes another instance answers there. */
  #reach(host: string, port: number): { uid: string; worker: FakeWorker } | undefined {
    const { time, network, platform } = this.#options;
    const found = platform.at(host, port);
    const other = time.pick(platform.uids());
    const worker = other ? time.pick(platform.workersOf(other)) : undefined;
    if (!other || !worker || !network.fault("invocation misrouted", 0.04)) return found;
    return { uid: other, worker };
  }

  #lives({ uid, worker }: Served): boolean {
    return this.#options.platform.workersOf(uid).includes(worker);
  }
}

function fieldOf(head: string, name: string): string {
  return new RegExp(`^${name}: (.*)$`, "im").exec(head)?.[1]?.trim() ?? "";
}
