import type { FromWorker } from "../protocol/worker.ts";
import { type WorkerOptions, WorkerProcess } from "./worker-process.ts";

/** A worker that is started before there is a revision for it, so that the revision's load does not wait for a process. */
export class NextWorker {
  readonly #process: WorkerProcess;
  readonly #early: FromWorker[] = [];
  #onMessage: ((message: FromWorker) => void) | null = null;
  #ended = false;

  constructor(options: WorkerOptions) {
    this.#process = new WorkerProcess(options, (message) => (this.#onMessage ? this.#onMessage(message) : this.#early.push(message)));
    this.#process.onExit(() => {
      this.#ended = true;
    });
  }

  /** Hands the worker over, with the messages that it has sent so far; null: it has ended. */
  adopt(onMessage: (message: FromWorker) => void): WorkerProcess | null {
    if (this.#ended) return null;
    this.#onMessage = onMessage;
    for (const message of this.#early) onMessage(message);
    return this.#process;
  }

  kill(): void {
    this.#process.kill();
  }
}
