import { rm } from "node:fs";
import type { ToWorker } from "../protocol/worker.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** How long a worker of an older revision may take to finish. */
const RETIRE_MS = 30_000;

/** How long a worker whose load has failed or is superseded may take to answer the requests that it has parked. */
const UNPARK_MS = 200;

/** How long before its kill the process of a function whose invocations do not end receives SIGTERM. */
const TERM_MS = 1000;

/** The running workers of an instance, by id, and when they must have ended. */
export class Workers {
  readonly #processes = new Map<number, WorkerProcess>();
  /** The directory of each worker's code. */
  readonly #codeDirs = new Map<number, string>();
  /** The kills of workers whose loads are superseded. */
  readonly #superseded = new Map<number, NodeJS.Timeout>();

  get isEmpty(): boolean {
    return this.#processes.size === 0;
  }

  add(id: number, worker: WorkerProcess): void {
    this.#processes.set(id, worker);
  }

  /** Its code is in this directory, which is removed once the worker has ended. */
  codeIsIn(id: number, dir: string): void {
    this.#codeDirs.set(id, dir);
  }

  /** The limit that the worker has exceeded, of which its end is the consequence. */
  excessOf(id: number): WorkerProcess["excess"] {
    return this.#processes.get(id)?.excess ?? null;
  }

  send(id: number, message: ToWorker): void {
    this.#processes.get(id)?.send(message);
  }

  kill(id: number): void {
    this.#processes.get(id)?.kill();
  }

  /** Its load has failed, and it answers the requests that it has parked. */
  killSoon(id: number): void {
    setTimeout(() => this.kill(id), UNPARK_MS);
  }

  /** Another load has taken the place of its own. It refuses the requests that it has parked. */
  supersede(id: number): void {
    const worker = this.#processes.get(id);
    if (!worker) return;
    worker.send({ type: "drain" });
    const kill = setTimeout(() => worker.kill(), UNPARK_MS);
    this.#superseded.set(id, kill);
  }

  /** Its code had loaded when its load was superseded, and invocations may run, which it finishes. */
  loadedLate(id: number): void {
    const kill = this.#superseded.get(id);
    if (!kill) return;
    clearTimeout(kill);
    this.#superseded.delete(id);
    this.retire(id);
  }

  /** It accepts no further invocation, and ends when the running ones have ended, at the latest after `deadlineMs`. */
  retire(id: number, deadlineMs = RETIRE_MS): void {
    const worker = this.#processes.get(id);
    if (!worker) return;
    worker.send({ type: "drain" });
    setTimeout(() => worker.send({ type: "terminate" }), deadlineMs - Math.min(TERM_MS, deadlineMs / 2)).unref();
    setTimeout(() => worker.kill(), deadlineMs).unref();
  }

  ended(id: number): void {
    this.#processes.delete(id);
    clearTimeout(this.#superseded.get(id));
    this.#superseded.delete(id);
    const dir = this.#codeDirs.get(id);
    this.#codeDirs.delete(id);
    // A directory that cannot be removed goes with the instance's.
    if (dir) rm(dir, { recursive: true, force: true }, () => {});
  }
}
