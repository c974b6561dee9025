import {
  type Binding,
  type LogListener,
  type Observation,
  type OpenOrder,
  type Platform,
  type PoolScale,
  type PoolTarget,
  shortage,
  type Target,
} from "../../pool-manager/platform/platform.ts";
import type { Echo, LoadAnswer } from "../../runtime-images/protocol/messages.ts";

import { FakeInstances } from "./fake-instances.ts";
import type { FakeWorker, Member } from "./fake-network.ts";

/** How many times a start checks whether all bound instances have spoken, and the milliseconds between two checks. */
const SPEAK_TRIES = 30;
const SPEAK_EVERY_MS = 10;

/**
 * A platform in memory. Its instances are the real protocol state machines; only processes and wires are
 * missing. It passes the same contract suite as the real platforms.
 */
export class FakePlatform extends FakeInstances implements Platform {
  readonly kind = "fake";
  readonly loadPath = "inline";
  readonly #logListeners = new Set<LogListener>();
  #synced = false;
  /** Delivers an order to its instance, unless a simulation misdirects it. */
  route: (order: OpenOrder) => string = (order) => order.uid;
  /** Told of each accepted order, for checks. */
  onAccepted: (order: OpenOrder, echo: Echo) => void = () => {};

  /** Starts as a real platform does: with a listing first, then with some time for bound instances to echo what they serve. */
  async start(): Promise<void> {
    this.#synced = true;
    const isSilent = () => [...this.instances.values()].some(({ binding, echo }) => binding !== null && echo === null);
    for (let waits = SPEAK_TRIES; waits > 0 && isSilent(); waits--) await new Promise<void>((resolve) => this.network.after(SPEAK_EVERY_MS, resolve));
  }

  /** A watch that was lost: nothing may be concluded until it is back. */
  setSynced(synced: boolean): void {
    this.#synced = synced;
  }

  observe(): Observation {
    return { synced: this.#synced, instances: this.instances };
  }

  watch(listener: (uid: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onLog(listener: LogListener): void {
    this.#logListeners.add(listener);
  }

  /** A function wrote a line. */
  log(uid: string, line: string): void {
    for (const listener of this.#logListeners) listener(uid, line);
  }

  scalePool(pool: PoolTarget, scale: PoolScale): Promise<void> {
    return this.network.call("scale", () => {
      const records = [...this.members.values()].map(({ record }) => record);
      const missing = shortage(pool, scale, records);
      for (let i = 0; i < missing; i++) this.create(pool.name);
    });
  }

  prepareCode(): void {}

  retainCode(): void {}

  async load(order: OpenOrder, _code: Uint8Array): Promise<LoadAnswer> {
    const answer = await this.network.call("load", () => {
      const member = this.reachable(this.route(order));
      const { answer, assignment, superseded } = member.life.accept(order);
      if (answer.accepted) this.onAccepted(order, answer.echo);
      if (superseded !== null) this.#supersede(member, superseded);
      if (assignment) {
        if (assignment.start) this.boot(member, assignment.workerId);
        this.network.deliver("load", () => this.loadWorker(member, assignment.workerId, order));
        this.network.after(order.loadTimeoutMs, () => this.loadFailed(member, assignment.workerId, order, "timeout"));
      }
      if (superseded !== null || assignment) this.changed(member);
      return answer;
    });
    const member = this.members.get(order.uid);
    if (member && answer.echo.uid === order.uid) this.echoed(member, answer.echo);
    return answer;
  }

  /** Another load has taken the place of this worker's. */
  #supersede(member: Member, id: number): void {
    member.superseded.add(id);
    const worker = member.workers.get(id);
    if (!worker) return void member.life.workerExited(id, "superseded");
    worker.admission.drain();
    this.network.deliver("exit", () => this.settle(member.record.uid));
  }

  bind(target: Target, binding: Binding): Promise<void> {
    return this.network.call("bind", () => {
      const member = this.matching(target);
      this.record(member, { binding });
    });
  }

  drain(uid: string, _deadlineMs: number): Promise<void> {
    return this.network.call("drain", () => {
      const member = this.reachable(uid);
      member.life.drain();
      for (const worker of member.workers.values()) worker.admission.drain();
      this.network.deliver("exit", () => this.settle(uid));
      this.changed(member);
    });
  }

  remove(target: Target): Promise<void> {
    return this.network.call("remove", () => {
      const member = this.matching(target);
      this.record(member, { removing: true });
      this.network.deliver("exit", () => this.kill(target.uid));
    });
  }

  async close(): Promise<void> {
    for (const uid of [...this.members.keys()]) this.kill(uid);
  }

  /** The worker that listens on a port, as a connection would find it; undefined: refused. */
  at(host: string, port: number): { uid: string; worker: FakeWorker } | undefined {
    const member = this.members.get(host);
    if (!member || member.dead) return undefined;
    const worker = [...member.workers.values()].find((candidate) => candidate.port === port);
    return worker && { uid: host, worker };
  }
}
