import { newInstance } from "../../pool-manager/platform/new-instance.ts";
import { type Instance, noInstance, type Obstacle, type OpenOrder, PlatformError, type Target } from "../../pool-manager/platform/platform.ts";
import { Admission } from "../../runtime-images/protocol/admission.ts";
import { Instance as Life } from "../../runtime-images/protocol/instance.ts";
import type { Echo } from "../../runtime-images/protocol/messages.ts";
import type { FakeNetwork, FakeWorker, LoadOutcome, Member } from "./fake-network.ts";

/** Instances in memory: the real protocol state machines, whose processes and wires are missing. What may become of one is a method. */
export class FakeInstances {
  protected readonly network: FakeNetwork;
  protected readonly members = new Map<string, Member>();
  protected readonly instances = new Map<string, Instance>();
  /** Instances that the pool manager has no connection to. */
  readonly #mute = new Set<string>();
  protected readonly listeners = new Set<(uid: string) => void>();
  #version = 0;
  #next = 1;
  /** Chooses how the code of an order loads. */
  outcome: (order: OpenOrder) => LoadOutcome = () => "loads";

  constructor(network: FakeNetwork) {
    this.network = network;
  }

  /** An instance's own echo, without any watch. */
  life(uid: string): Life | undefined {
    return this.members.get(uid)?.life;
  }

  workersOf(uid: string): FakeWorker[] {
    return [...(this.members.get(uid)?.workers.values() ?? [])];
  }

  uids(): string[] {
    return [...this.members.keys()];
  }

  /** The pool of a living instance. */
  poolOf(uid: string): string | undefined {
    return this.members.get(uid)?.record.pool;
  }

  /** A draining instance whose invocations have ended is gone, and so is a retiring worker. */
  settle(uid: string): void {
    const member = this.members.get(uid);
    if (!member) return;
    for (const worker of [...member.workers.values()]) {
      if (!worker.admission.draining || worker.admission.running > 0) continue;
      member.workers.delete(worker.id);
      member.life.workerExited(worker.id, "drained");
    }
    if (member.life.state !== "draining" || member.workers.size > 0) return;
    member.life.gone();
    this.changed(member);
  }

  /** The whole instance ends now. */
  kill(uid: string): void {
    const member = this.members.get(uid);
    if (!member || member.dead) return;
    member.dead = true;
    member.life.gone();
    this.members.delete(uid);
    this.#mute.delete(uid);
    this.network.deliver("event", () => {
      this.instances.delete(uid);
      this.#notify(uid);
    });
  }

  /**
   * The first view of the next pool manager: every instance is listed and unheard, and first seen now, however old it is. The
   * echo of each comes later, as an event of its own; that of some (`isMute`) not before they are reached.
   */
  restartView(isMute: (uid: string) => boolean = () => false): void {
    const now = this.network.now();
    for (const uid of [...this.instances.keys()]) {
      const member = this.members.get(uid);
      if (!member) {
        this.instances.delete(uid);
        continue;
      }
      const obstacle: Obstacle = { kind: "unreachable", since: now, message: "it has not been heard yet" };
      this.record(member, { echo: null, readyAt: null, seenAt: now, runningSince: now, obstacle });
      if (isMute(uid)) this.#mute.add(uid);
      else this.changed(member);
    }
  }

  /** The pool manager loses its connection to an instance; what that says is not heard until it is reached again. */
  cut(uid: string): void {
    const member = this.members.get(uid);
    if (!member) return;
    this.#mute.add(uid);
    this.record(member, { obstacle: { kind: "unreachable", since: this.network.now(), message: "its network is gone" } });
  }

  /** An instance that could not be heard can be again. */
  reach(uid: string): void {
    const member = this.members.get(uid);
    if (!this.#mute.delete(uid) || !member) return;
    if (member.record.echo) this.record(member, { obstacle: null });
    this.changed(member);
  }

  /** Everything is told again, as a watch does after it was interrupted. */
  relist(): void {
    for (const uid of [...this.instances.keys()]) {
      const member = this.members.get(uid);
      if (member && !member.dead) this.echoed(member, member.life.echo());
      else {
        this.instances.delete(uid);
        this.#notify(uid);
      }
    }
  }

  /** A newer version of the runtime exists, or its node is being drained. */
  setReplace(uid: string, replace: Instance["replace"]): void {
    const member = this.members.get(uid);
    if (member) this.record(member, { replace });
  }

  /** The runtime restarts under the same uid: volumes and files survive, so it may never be prewarmed again. */
  restart(uid: string): void {
    const member = this.members.get(uid);
    if (!member || member.dead) return;
    member.workers.clear();
    member.life = new Life(uid, `${member.life.bootId}'`);
    member.life.fail({ reason: "crash", message: "the runtime restarted", revision: null });
    this.changed(member);
  }

  /** The serving worker dies, as a crash or the kernel's memory killer would have it. */
  crash(uid: string): void {
    const member = this.members.get(uid);
    const [worker] = member?.workers.values() ?? [];
    if (!member || !worker) return;
    member.workers.delete(worker.id);
    member.life.workerExited(worker.id, "crashed");
    this.changed(member);
  }

  protected create(pool: string): void {
    const uid = `i${this.#next++}`;
    const life = new Life(uid, `boot-${uid}`);
    const record = newInstance({ uid, pool, host: uid, resourceVersion: String(++this.#version) }, this.network.now());
    const member: Member = { record, life, workers: new Map(), superseded: new Set(), dead: false };
    this.members.set(uid, member);
    this.instances.set(uid, record);
    this.#notify(uid);
    this.boot(member, life.addSpare());
  }

  protected boot(member: Member, id: number): void {
    const { bootId } = member.life;
    this.network.deliver("boot", () => {
      if (member.dead || member.life.bootId !== bootId) return;
      const port = 1000 * id + this.#next;
      if (member.superseded.has(id)) return;
      member.workers.set(id, { id, port, admission: new Admission(), functionUid: "", revision: "" });
      member.life.workerReady(id, port);
      this.changed(member);
    });
  }

  protected loadWorker(member: Member, id: number, order: OpenOrder): void {
    if (member.dead || member.life.bootId !== order.bootId) return;
    const worker = member.workers.get(id);
    // The order reaches a worker that still boots when it listens.
    if (!worker) return this.network.deliver("load", () => this.loadWorker(member, id, order));
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
      if (outcome === "throws") this.loadFailed(member, id, order, "load");
    }
    this.changed(member);
  }

  /** The code threw, or its deadline has passed; after a load that succeeded this changes nothing. */
  protected loadFailed(member: Member, id: number, order: OpenOrder, reason: "load" | "timeout"): void {
    if (member.dead || member.life.bootId !== order.bootId || !member.life.loadFailed(id, reason, `${reason} of ${order.digest}`)) return;
    member.workers.delete(id);
    this.changed(member);
  }

  /** The platform learns of a change when its event arrives; older ones that come later are dropped. */
  protected changed(member: Member): void {
    const echo = member.life.echo();
    this.network.deliver("event", () => this.echoed(member, echo));
  }

  protected echoed(member: Member, echo: Echo): void {
    const known = this.instances.get(member.record.uid);
    if (!known || member.dead || (known.echo && known.echo.bootId === echo.bootId && known.echo.version >= echo.version)) return;
    if (echo.bootId !== member.life.bootId || this.#mute.has(echo.uid)) return;
    const readyAt = known.readyAt ?? (echo.state === "prewarmed" ? this.network.now() : null);
    this.record(member, { echo, readyAt, obstacle: null });
  }

  protected record(member: Member, change: Partial<Instance>): void {
    member.record = { ...member.record, ...change, resourceVersion: String(++this.#version) };
    this.instances.set(member.record.uid, member.record);
    this.#notify(member.record.uid);
  }

  #notify(uid: string): void {
    for (const listener of this.listeners) listener(uid);
  }

  #alive(uid: string): Member {
    const member = this.members.get(uid);
    if (!member || member.dead) throw noInstance(uid);
    return member;
  }

  protected reachable(uid: string): Member {
    const member = this.#alive(uid);
    if (this.#mute.has(uid)) throw new PlatformError("UNREACHABLE", `the instance ${uid} cannot be connected to`);
    return member;
  }

  protected matching({ uid, resourceVersion }: Target): Member {
    const member = this.#alive(uid);
    if (member.record.resourceVersion === resourceVersion) return member;
    throw new PlatformError("CONFLICT", `instance ${uid} has changed since version ${resourceVersion}`);
  }
}
