import {
  type Binding,
  type Instance,
  type LogListener,
  noInstance,
  type Observation,
  type Obstacle,
  type OpenOrder,
  type Platform,
  PlatformError,
  type PoolScale,
  type PoolTarget,
  shortage,
  type Target,
} from "../../pool-manager/platform/platform.ts";
import { Admission } from "../../runtime-images/protocol/admission.ts";
import { Instance as Life } from "../../runtime-images/protocol/instance.ts";
import type { Echo, LoadAnswer } from "../../runtime-images/protocol/messages.ts";

/** What happens between the pool manager and its instances: immediate and faultless, unless a simulation replaces it. */
export interface FakeNetwork {
  now(): number;
  /** Runs `effect` later: a boot, a load, an event on its way. */
  deliver(what: "boot" | "load" | "event" | "exit", effect: () => void): void;
  /** Runs `effect` after exactly this time: the instance's own timers. */
  after(ms: number, effect: () => void): void;
  /** A control call: what it answers may be delayed or lost. */
  call<T>(what: "scale" | "load" | "bind" | "drain" | "remove", work: () => T): Promise<T>;
}

/** One worker of a fake instance: its admission, and what a real one would do to be loaded. */
export interface FakeWorker {
  id: number;
  port: number;
  admission: Admission;
  functionUid: string;
  revision: string;
}

interface Member {
  record: Instance;
  life: Life;
  workers: Map<number, FakeWorker>;
  dead: boolean;
}

/** How the code of an order behaves when it is loaded. */
export type LoadOutcome = "loads" | "throws" | "hangs";

/** How often a start looks whether all bound instances have spoken, and how long after another. Milliseconds. */
const SPEAK_TRIES = 30;
const SPEAK_EVERY_MS = 10;

/**
 * A platform in memory. Its instances are the real protocol state machines; only processes and wires are
 * missing. It passes the same contract suite as the real platforms.
 */
export class FakePlatform implements Platform {
  readonly kind = "fake";
  readonly loadPath = "inline";
  readonly #network: FakeNetwork;
  readonly #members = new Map<string, Member>();
  readonly #instances = new Map<string, Instance>();
  /** Instances that the pool manager has no connection to. */
  readonly #mute = new Set<string>();
  readonly #listeners = new Set<(uid: string) => void>();
  readonly #logListeners = new Set<LogListener>();
  #version = 0;
  #next = 1;
  #synced = false;
  /** Chooses how the code of an order loads. */
  outcome: (order: OpenOrder) => LoadOutcome = () => "loads";
  /** Where an order arrives: at its instance, unless a simulation leads it astray. */
  route: (order: OpenOrder) => string = (order) => order.uid;
  /** Told of each accepted order, for checks. */
  onAccepted: (order: OpenOrder, echo: Echo) => void = () => {};

  constructor(network: FakeNetwork) {
    this.#network = network;
  }

  /** As a real platform does: with a listing first, then with some time for bound instances to say what they serve. */
  async start(): Promise<void> {
    this.#synced = true;
    const isSilent = () => [...this.#instances.values()].some(({ binding, echo }) => binding !== null && echo === null);
    for (let waits = SPEAK_TRIES; waits > 0 && isSilent(); waits--) await new Promise<void>((resolve) => this.#network.after(SPEAK_EVERY_MS, resolve));
  }

  /** A watch that was lost: nothing may be concluded until it is back. */
  setSynced(synced: boolean): void {
    this.#synced = synced;
  }

  observe(): Observation {
    return { synced: this.#synced, instances: this.#instances };
  }

  watch(listener: (uid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onLog(listener: LogListener): void {
    this.#logListeners.add(listener);
  }

  /** A function wrote a line. */
  log(uid: string, line: string): void {
    for (const listener of this.#logListeners) listener(uid, line);
  }

  scalePool(pool: PoolTarget, scale: PoolScale): Promise<void> {
    return this.#network.call("scale", () => {
      const records = [...this.#members.values()].map(({ record }) => record);
      const missing = shortage(pool, scale, records);
      for (let i = 0; i < missing; i++) this.#create(pool.name);
    });
  }

  prepareCode(): void {}

  retainCode(): void {}

  async load(order: OpenOrder, _code: Uint8Array): Promise<LoadAnswer> {
    const answer = await this.#network.call("load", () => {
      const member = this.#reachable(this.route(order));
      const { answer, assignment } = member.life.accept(order);
      if (answer.accepted && assignment) {
        this.onAccepted(order, answer.echo);
        if (assignment.start) this.#boot(member, assignment.workerId);
        this.#network.deliver("load", () => this.#load(member, assignment.workerId, order));
        this.#network.after(order.loadTimeoutMs, () => this.#loadFailed(member, assignment.workerId, order, "timeout"));
        this.#changed(member);
      }
      return answer;
    });
    const member = this.#members.get(order.uid);
    if (member && answer.echo.uid === order.uid) this.#echoed(member, answer.echo);
    return answer;
  }

  bind(target: Target, binding: Binding): Promise<void> {
    return this.#network.call("bind", () => {
      const member = this.#matching(target);
      this.#record(member, { binding });
    });
  }

  drain(uid: string, _deadlineMs: number): Promise<void> {
    return this.#network.call("drain", () => {
      const member = this.#reachable(uid);
      member.life.drain();
      for (const worker of member.workers.values()) worker.admission.drain();
      this.#network.deliver("exit", () => this.settle(uid));
      this.#changed(member);
    });
  }

  remove(target: Target): Promise<void> {
    return this.#network.call("remove", () => {
      const member = this.#matching(target);
      this.#record(member, { removing: true });
      this.#network.deliver("exit", () => this.kill(target.uid));
    });
  }

  async close(): Promise<void> {
    for (const uid of [...this.#members.keys()]) this.kill(uid);
  }

  /** The worker that listens on a port, as a connection would find it; undefined: refused. */
  at(host: string, port: number): { uid: string; worker: FakeWorker } | undefined {
    const member = this.#members.get(host);
    if (!member || member.dead) return undefined;
    const worker = [...member.workers.values()].find((candidate) => candidate.port === port);
    return worker && { uid: host, worker };
  }

  /** What an instance says of itself, past any watch. */
  life(uid: string): Life | undefined {
    return this.#members.get(uid)?.life;
  }

  workersOf(uid: string): FakeWorker[] {
    return [...(this.#members.get(uid)?.workers.values() ?? [])];
  }

  uids(): string[] {
    return [...this.#members.keys()];
  }

  /** A draining instance whose invocations have ended is gone, and so is a retiring worker. */
  settle(uid: string): void {
    const member = this.#members.get(uid);
    if (!member) return;
    for (const worker of [...member.workers.values()]) {
      if (!worker.admission.draining || worker.admission.running > 0) continue;
      member.workers.delete(worker.id);
      member.life.workerExited(worker.id, "drained");
    }
    if (member.life.state !== "draining" || member.workers.size > 0) return;
    member.life.gone();
    this.#changed(member);
  }

  /** The whole instance ends now. */
  kill(uid: string): void {
    const member = this.#members.get(uid);
    if (!member || member.dead) return;
    member.dead = true;
    member.life.gone();
    this.#members.delete(uid);
    this.#mute.delete(uid);
    this.#network.deliver("event", () => {
      this.#instances.delete(uid);
      this.#notify(uid);
    });
  }

  /**
   * What the next pool manager sees first: every instance listed and unheard, seen just now however old it is. What each
   * says of itself comes later, as an event of its own; of some (`isMute`) not before they are reached.
   */
  restartView(isMute: (uid: string) => boolean = () => false): void {
    const now = this.#network.now();
    for (const uid of [...this.#instances.keys()]) {
      const member = this.#members.get(uid);
      if (!member) {
        this.#instances.delete(uid);
        continue;
      }
      const obstacle: Obstacle = { kind: "unreachable", since: now, message: "it has not been heard yet" };
      this.#record(member, { echo: null, readyAt: null, seenAt: now, runningSince: now, obstacle });
      if (isMute(uid)) this.#mute.add(uid);
      else this.#changed(member);
    }
  }

  /** The pool manager loses its connection to an instance; what that says is not heard until it is reached again. */
  cut(uid: string): void {
    const member = this.#members.get(uid);
    if (!member) return;
    this.#mute.add(uid);
    this.#record(member, { obstacle: { kind: "unreachable", since: this.#network.now(), message: "its network is gone" } });
  }

  /** An instance that could not be heard can be again. */
  reach(uid: string): void {
    const member = this.#members.get(uid);
    if (!this.#mute.delete(uid) || !member) return;
    if (member.record.echo) this.#record(member, { obstacle: null });
    this.#changed(member);
  }

  /** Everything is told again, as a watch does after it was interrupted. */
  relist(): void {
    for (const uid of [...this.#instances.keys()]) {
      const member = this.#members.get(uid);
      if (member && !member.dead) this.#echoed(member, member.life.echo());
      else {
        this.#instances.delete(uid);
        this.#notify(uid);
      }
    }
  }

  /** A new version of the runtime has come since, or its node is to be emptied. */
  setReplace(uid: string, replace: Instance["replace"]): void {
    const member = this.#members.get(uid);
    if (member) this.#record(member, { replace });
  }

  /** The runtime restarts under the same uid: volumes and files survive, so it may never be prewarmed again. */
  restart(uid: string): void {
    const member = this.#members.get(uid);
    if (!member || member.dead) return;
    member.workers.clear();
    member.life = new Life(uid, `${member.life.bootId}'`);
    member.life.fail({ reason: "crash", message: "the runtime restarted", revision: null });
    this.#changed(member);
  }

  /** The serving worker dies, as a crash or the kernel's memory killer would have it. */
  crash(uid: string): void {
    const member = this.#members.get(uid);
    const [worker] = member?.workers.values() ?? [];
    if (!member || !worker) return;
    member.workers.delete(worker.id);
    member.life.workerExited(worker.id, "crashed");
    this.#changed(member);
  }

  #create(pool: string): void {
    const uid = `i${this.#next++}`;
    const life = new Life(uid, `boot-${uid}`);
    const record: Instance = {
      uid,
      pool,
      host: uid,
      key: null,
      resourceVersion: String(++this.#version),
      echo: null,
      binding: null,
      createdAt: this.#network.now(),
      seenAt: this.#network.now(),
      runningSince: this.#network.now(),
      readyAt: null,
      removing: false,
      isCounted: true,
      replace: null,
      trouble: null,
      obstacle: null,
    };
    const member: Member = { record, life, workers: new Map(), dead: false };
    this.#members.set(uid, member);
    this.#instances.set(uid, record);
    this.#notify(uid);
    this.#boot(member, life.addSpare());
  }

  #boot(member: Member, id: number): void {
    const { bootId } = member.life;
    this.#network.deliver("boot", () => {
      if (member.dead || member.life.bootId !== bootId) return;
      const port = 1000 * id + this.#next;
      member.workers.set(id, { id, port, admission: new Admission(), functionUid: "", revision: "" });
      member.life.workerReady(id, port);
      this.#changed(member);
    });
  }

  #load(member: Member, id: number, order: OpenOrder): void {
    if (member.dead || member.life.bootId !== order.bootId) return;
    const worker = member.workers.get(id);
    // The order reaches a worker that still boots when it listens.
    if (!worker) return this.#network.deliver("load", () => this.#load(member, id, order));
    worker.functionUid = order.functionUid;
    worker.revision = order.revision;
    worker.admission.assign(order.functionUid, order.revision, order.settings.concurrency);
    const outcome = this.outcome(order);
    if (outcome === "loads") {
      worker.admission.loaded();
      for (const old of member.life.loaded(id)) member.workers.get(old)?.admission.drain();
      this.settle(member.record.uid);
    } else {
      worker.admission.failed();
      if (outcome === "throws") this.#loadFailed(member, id, order, "load");
    }
    this.#changed(member);
  }

  /** The code threw, or its deadline has passed; after a load that succeeded this changes nothing. */
  #loadFailed(member: Member, id: number, order: OpenOrder, reason: "load" | "timeout"): void {
    if (member.dead || member.life.bootId !== order.bootId || !member.life.loadFailed(id, reason, `${reason} of ${order.digest}`)) return;
    member.workers.delete(id);
    this.#changed(member);
  }

  /** The platform learns of a change when its event arrives; older ones that come later are dropped. */
  #changed(member: Member): void {
    const echo = member.life.echo();
    this.#network.deliver("event", () => this.#echoed(member, echo));
  }

  #echoed(member: Member, echo: Echo): void {
    const known = this.#instances.get(member.record.uid);
    if (!known || member.dead || (known.echo && known.echo.bootId === echo.bootId && known.echo.version >= echo.version)) return;
    if (echo.bootId !== member.life.bootId || this.#mute.has(echo.uid)) return;
    const readyAt = known.readyAt ?? (echo.state === "prewarmed" ? this.#network.now() : null);
    this.#record(member, { echo, readyAt, obstacle: null });
  }

  #record(member: Member, change: Partial<Instance>): void {
    member.record = { ...member.record, ...change, resourceVersion: String(++this.#version) };
    this.#instances.set(member.record.uid, member.record);
    this.#notify(member.record.uid);
  }

  #notify(uid: string): void {
    for (const listener of this.#listeners) listener(uid);
  }

  #alive(uid: string): Member {
    const member = this.#members.get(uid);
    if (!member || member.dead) throw noInstance(uid);
    return member;
  }

  #reachable(uid: string): Member {
    const member = this.#alive(uid);
    if (this.#mute.has(uid)) throw new PlatformError("UNREACHABLE", `the instance ${uid} cannot be connected to`);
    return member;
  }

  #matching({ uid, resourceVersion }: Target): Member {
    const member = this.#alive(uid);
    if (member.record.resourceVersion === resourceVersion) return member;
    throw new PlatformError("CONFLICT", `instance ${uid} has changed since version ${resourceVersion}`);
  }
}
