/** The load of a worker's code, from its order until the code has loaded, has failed, or is superseded. */
export class LoadAttempt {
  readonly workerId: number;
  /** The reason why the load waits, in the worker's words. */
  waitsFor = "";
  cancelArrival: () => void = () => {};
  readonly #deadline: NodeJS.Timeout;

  /** `timedOut` receives the error of a load that has taken longer than `ms`. */
  constructor(workerId: number, ms: number, timedOut: (message: string) => void) {
    this.workerId = workerId;
    this.#deadline = setTimeout(() => timedOut(`the code did not load within ${ms} ms (loadTimeout)${this.waitsFor && `: ${this.waitsFor}`}`), ms);
  }

  end(): void {
    clearTimeout(this.#deadline);
    this.cancelArrival();
  }
}
