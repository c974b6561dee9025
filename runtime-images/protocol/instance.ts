import type { Echo, InstanceState, LoadAnswer, LoadError, LoadOrder, OrderRefusal } from "./messages.ts";

type Role = "spare" | "loading" | "serving" | "retiring";

interface WorkerView {
  port: number | null;
  role: Role;
  revision: string | null;
  /** Its function has answered an invocation, so its end is not held against the revision. */
  hasAnswered: boolean;
}

/** The fields of an order that decide whether it is accepted. */
type Addressed = Pick<LoadOrder, "uid" | "bootId" | "epoch" | "term" | "functionUid" | "revision">;

/** The answer to an order, and what the supervisor must do. */
interface Accepted {
  answer: LoadAnswer;
  /** The worker that loads the code, which must be started unless it is a spare one; null: the order is refused, or a worker serves its revision. */
  assignment: { workerId: number; start: boolean } | null;
  /** The worker whose load the order supersedes, and which must end now; null: none was loading. */
  superseded: number | null;
}

/**
 * The state machine of one instance, without I/O; used by every supervisor and by the fake platform.
 *
 * | state        | order for it                    | becomes      |
 * |--------------|---------------------------------|--------------|
 * | starting     | refused `state`                 |              |
 * | prewarmed    | any function                    | specializing |
 * | specializing | same function, else `function`  | specializing |
 * | warm         | same function, else `function`  | specializing |
 * | draining …   | refused `state`                 |              |
 *
 * In every state an order with a wrong uid, bootId or epoch, or with a lower term, is refused first.
 * An order that comes while code is loading ends that load, which is no failure. If a worker still serves its revision, it is `warm` again.
 */
export class Instance {
  readonly uid: string;
  readonly bootId: string;
  #state: InstanceState = "starting";
  #functionUid: string | null = null;
  #revision: string | null = null;
  #epoch = 0;
  #term = 0;
  #error: LoadError | null = null;
  #nextWorker = 1;
  #version = 0;
  readonly #workers = new Map<number, WorkerView>();

  constructor(uid: string, bootId: string) {
    this.uid = uid;
    this.bootId = bootId;
  }

  get state(): InstanceState {
    return this.#state;
  }

  /** Adds the first worker, which starts before any order. */
  addSpare(): number {
    return this.#add("spare", null);
  }

  /** Records that a worker listens. The instance is prewarmed once its spare worker does. */
  workerReady(id: number, port: number): void {
    const worker = this.#workers.get(id);
    if (!worker) return;
    worker.port = port;
    this.#changed();
    if (worker.role === "spare" && this.#state === "starting") this.#state = "prewarmed";
  }

  /** The compare-and-set of a load order. An accepted order raises the epoch by one. */
  accept(order: Addressed): Accepted {
    const refusal = this.#refuse(order);
    if (refusal) return { answer: { accepted: false, refusal, echo: this.echo() }, assignment: null, superseded: null };
    const returns = this.#state === "specializing" && this.#ids("serving").some((id) => this.#get(id).revision === order.revision);
    this.#changed();
    this.#epoch += 1;
    this.#term = order.term;
    this.#functionUid = order.functionUid;
    this.#revision = order.revision;
    this.#state = returns ? "warm" : "specializing";
    this.#error = null;
    const [superseded = null] = this.#ids("loading");
    if (superseded !== null) this.#get(superseded).role = "retiring";
    const assignment = returns ? null : this.#assign(order.revision);
    return { answer: { accepted: true, echo: this.echo() }, assignment, superseded };
  }

  /** Records that a worker's code has loaded. Returns the workers that must retire now. */
  loaded(id: number): number[] {
    const worker = this.#workers.get(id);
    if (worker?.role !== "loading") return [];
    const retire = this.#ids("serving");
    for (const old of retire) this.#get(old).role = "retiring";
    worker.role = "serving";
    this.#changed();
    if (this.#state === "specializing") this.#state = "warm";
    return retire;
  }

  /**
   * Records that a worker's code did not load. If an older revision still serves, the instance returns to it.
   * Returns false if that worker was not loading.
   */
  loadFailed(id: number, reason: LoadError["reason"], message: string): boolean {
    const worker = this.#workers.get(id);
    if (worker?.role !== "loading") return false;
    this.#workers.delete(id);
    this.#changed();
    this.#error = { reason, message, revision: worker.revision };
    if (this.#state !== "specializing") return true;
    const [previous] = this.#ids("serving");
    this.#state = previous === undefined ? "failed" : "warm";
    if (previous !== undefined) this.#revision = this.#get(previous).revision;
    return true;
  }

  /** Records that a worker's function has answered an invocation. */
  answered(id: number): void {
    const worker = this.#workers.get(id);
    if (worker) worker.hasAnswered = true;
  }

  /** Records the end of a worker process (`memory`: above its limit). Fails the instance, unless the worker was retiring or another one takes its place. */
  workerExited(id: number, message: string, reason: "memory" | "crash" = "crash"): void {
    const worker = this.#workers.get(id);
    if (!worker) return;
    if (worker.role === "loading") {
      this.loadFailed(id, reason === "memory" ? "memory" : "load", message);
      return;
    }
    this.#workers.delete(id);
    this.#changed();
    // Its own report of a crash says more than how it exited.
    if (worker.role === "retiring" || this.#state === "draining" || this.#state === "failed") return;
    // A newer revision is loading beside the worker that ended, and takes over once it has loaded.
    if (worker.role === "serving" && this.#state === "specializing") return;
    this.fail({ reason, message, revision: blamed(worker) });
  }

  /** Records what a worker reports of its end. That of a retiring worker says nothing of the revision that serves. */
  crashed(id: number, message: string): void {
    const worker = this.#workers.get(id);
    if (!worker || worker.role === "retiring") return;
    // A newer revision is loading beside it, and takes over once it has loaded.
    if (worker.role === "serving" && this.#state === "specializing") return;
    this.fail({ reason: "crash", message, revision: blamed(worker) });
  }

  /** Drains a serving worker that must end after an uncaught error or an abandoned invocation, and with it the instance. Returns the workers that must drain. */
  ail(id: number, message: string): number[] {
    const worker = this.#workers.get(id);
    if (worker?.role !== "serving") return [];
    // A newer revision is loading beside it, and takes over once it has loaded.
    if (this.#state === "specializing") {
      worker.role = "retiring";
      return [id];
    }
    this.#error = { reason: "crash", message, revision: blamed(worker) };
    return this.drain();
  }

  fail(error: LoadError): void {
    if (this.#state === "gone") return;
    this.#changed();
    this.#state = "failed";
    this.#error = error;
  }

  /** Stops accepting orders and invocations. Returns the workers that must drain. */
  drain(): number[] {
    this.#changed();
    if (this.#state !== "failed" && this.#state !== "gone") this.#state = "draining";
    for (const worker of this.#workers.values()) worker.role = "retiring";
    return [...this.#workers.keys()];
  }

  gone(): void {
    this.#changed();
    this.#state = "gone";
    this.#workers.clear();
  }

  /** The current echo. Its version rises with every change, so of two echoes of one boot the higher version is the later state. */
  echo(): Echo {
    const current = this.#current();
    return {
      uid: this.uid,
      bootId: this.bootId,
      state: this.#state,
      functionUid: this.#functionUid,
      revision: this.#revision,
      epoch: this.#epoch,
      version: this.#version,
      port: current?.port ?? null,
      loaded: this.#state === "warm",
      error: this.#error,
    };
  }

  #changed(): void {
    this.#version += 1;
  }

  #refuse(order: Addressed): OrderRefusal | null {
    if (order.uid !== this.uid) return "uid";
    if (order.bootId !== this.bootId) return "boot";
    if (order.term < this.#term) return "term";
    if (order.epoch !== this.#epoch) return "epoch";
    if (this.#state === "prewarmed") return null;
    if (this.#state !== "warm" && this.#state !== "specializing") return "state";
    return order.functionUid === this.#functionUid ? null : "function";
  }

  #assign(revision: string): Accepted["assignment"] {
    const [spare] = this.#ids("spare");
    const workerId = spare ?? this.#add("loading", revision);
    Object.assign(this.#get(workerId), { role: "loading", revision });
    return { workerId, start: spare === undefined };
  }

  #add(role: Role, revision: string | null): number {
    const id = this.#nextWorker++;
    this.#workers.set(id, { port: null, role, revision, hasAnswered: false });
    return id;
  }

  /** The worker that accepts invocations of the revision in the echo. */
  #current(): WorkerView | undefined {
    const role: Role = this.#state === "specializing" ? "loading" : "serving";
    return [...this.#workers.values()].find((worker) => worker.role === role);
  }

  #ids(role: Role): number[] {
    return [...this.#workers].filter(([, worker]) => worker.role === role).map(([id]) => id);
  }

  #get(id: number): WorkerView {
    const worker = this.#workers.get(id);
    if (!worker) throw new Error(`no worker ${id}`);
    return worker;
  }
}

/** The revision that the end of a worker is held against; null: it has answered, so that the request or the machine is the likelier reason. */
const blamed = ({ revision, hasAnswered }: WorkerView): string | null => (hasAnswered ? null : revision);
