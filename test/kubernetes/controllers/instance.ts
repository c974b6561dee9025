import { Instance as Life } from "../../../runtime-images/protocol/instance.ts";
import { CONTROL_READY, type ControlLine, type LoadAnswer, type LoadOrder } from "../../../runtime-images/protocol/messages.ts";
import { seededUuid } from "../objects/uuid.ts";

/** How the code of an order behaves when it is loaded. */
export type LoadOutcome = "loads" | "throws" | "hangs";

/** Durations in a runtime, in milliseconds. */
const BOOT_MS = [60, 250] as const;
const LOAD_MS = [5, 40] as const;
/** From the end of its last invocation to the end of the process. */
const EXIT_MS = 20;
const SIGTERM_MS = 2000;

export interface InstanceEvents {
  /** The runtime's process has ended by itself. */
  exited(): void;
}

/** One life of a runtime container: the protocol's state machine, with timers in place of processes. */
export class MemoryInstance {
  readonly uid: string;
  /** The fingerprint of the certificate that it shows. */
  readonly fingerprint = Array.from({ length: 32 }, () =>
    Math.floor(Math.random() * 256)
      .toString(16)
      .padStart(2, "0")
      .toUpperCase(),
  ).join(":");
  /** The lines of its log. */
  readonly output: string[] = [`${CONTROL_READY} ${this.fingerprint}`];
  readonly life: Life;
  readonly #events: InstanceEvents;
  readonly #streams = new Set<(line: ControlLine) => void>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #running = new Set<() => void>();
  #nextPort = 30_000 + Math.floor(Math.random() * 10_000);
  #ended = false;
  outcome: (order: LoadOrder) => LoadOutcome = () => "loads";

  /** `again`: the container has run before in this pod, so that no function is let in. */
  constructor(uid: string, again: boolean, events: InstanceEvents) {
    this.uid = uid;
    this.#events = events;
    this.life = new Life(uid, seededUuid());
    if (again) {
      this.life.fail({ reason: "crash", message: "the runtime was restarted (out of memory?)", revision: null });
      return;
    }
    const spare = this.life.addSpare();
    this.#after(between(BOOT_MS), () => {
      this.life.workerReady(spare, this.#nextPort++);
      this.#publish();
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Invocations that are under way. */
  get running(): number {
    return this.#running.size;
  }

  /** An invocation begins; `broken` is told when its instance ends under it. Returns its end; null: refused. */
  invoke(functionUid: string, revision: string, broken: () => void): (() => void) | null {
    const echo = this.life.echo();
    if (this.#ended || echo.functionUid !== functionUid || echo.revision !== revision || !echo.loaded) return null;
    this.#running.add(broken);
    return () => {
      if (this.#running.delete(broken)) this.#endWhenEmpty();
    };
  }

  follow(onLine: (line: ControlLine) => void): () => void {
    this.#streams.add(onLine);
    onLine({ echo: this.life.echo() });
    return () => this.#streams.delete(onLine);
  }

  load(order: LoadOrder): LoadAnswer {
    const { answer, assignment } = this.life.accept(order);
    if (!assignment) return answer;
    const { workerId, start } = assignment;
    const port = this.#nextPort++;
    const outcome = this.outcome(order);
    if (start) this.#after(between(BOOT_MS), () => this.#changed(() => this.life.workerReady(workerId, port)));
    const failed = (reason: "load" | "timeout") => this.#changed(() => this.life.loadFailed(workerId, reason, `${reason} of ${order.digest}`));
    if (outcome === "loads") this.#after(between(BOOT_MS) * Number(start) + between(LOAD_MS), () => this.#changed(() => this.#loaded(workerId)));
    if (outcome === "throws") this.#after(between(LOAD_MS), () => failed("load"));
    this.#after(order.loadTimeoutMs, () => failed("timeout"));
    this.#publish();
    return answer;
  }

  drain(deadlineMs: number): void {
    this.life.drain();
    this.#after(deadlineMs, () => this.end());
    this.#publish();
    this.#endWhenEmpty();
  }

  /** Ends as on the kubelet's request. */
  terminate(): void {
    this.drain(SIGTERM_MS);
  }

  print(line: string): void {
    this.output.push(line);
    this.#tell({ log: line });
  }

  /** The process is gone, and all that ran in it. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.life.gone();
    for (const timer of this.#timers) clearTimeout(timer);
    for (const broken of [...this.#running]) broken();
    this.#running.clear();
    this.#publish();
    this.#streams.clear();
    this.#events.exited();
  }

  #loaded(workerId: number): void {
    for (const old of this.life.loaded(workerId)) this.life.workerExited(old, "retired");
  }

  #changed(change: () => void): void {
    change();
    this.#publish();
  }

  #endWhenEmpty(): void {
    if (this.life.state === "draining" && this.#running.size === 0) this.#after(EXIT_MS, () => this.end());
  }

  #publish(): void {
    this.#tell({ echo: this.life.echo() });
  }

  #tell(line: ControlLine): void {
    for (const stream of this.#streams) stream(line);
  }

  #after(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#ended) work();
    }, ms);
    this.#timers.add(timer);
  }
}

function between([from, to]: readonly [number, number]): number {
  return from + Math.random() * (to - from);
}
