import type { Refusal } from "./headers.ts";

/** The decision of a worker about a request, made before user code runs and before the body is read. */
export type Admit = { run: true } | { park: true } | { refuse: Refusal } | { failed: true };

type Phase = "spare" | "loading" | "serving" | "draining" | "failed";

/** The number of requests that a worker parks, unread, while its code loads. */
const PARK_DEPTH = 1024;

/**
 * Admission control of one worker, without I/O: the request check and the cap on concurrency.
 * A parked request is checked once more (`admit` with `parked: true`) when the phase changes.
 *
 * | phase    | request for its own function and revision | any other |
 * |----------|-------------------------------------------|-----------|
 * | spare    | park                                      | park      |
 * | loading  | park                                      | stale     |
 * | serving  | run, or full at the cap                   | stale     |
 * | draining | draining                                  | draining  |
 * | failed   | failed (answered with the load error)     | stale     |
 */
export class Admission {
  #phase: Phase = "spare";
  #functionUid = "";
  #revision = "";
  #concurrency = 1;
  #parked = 0;
  #running = 0;

  get running(): number {
    return this.#running;
  }

  get draining(): boolean {
    return this.#phase === "draining";
  }

  /** True once a load order has named the function. */
  get assigned(): boolean {
    return this.#phase !== "spare";
  }

  assign(functionUid: string, revision: string, concurrency: number): void {
    if (this.#phase !== "spare") return;
    this.#phase = "loading";
    this.#functionUid = functionUid;
    this.#revision = revision;
    this.#concurrency = concurrency;
  }

  loaded(): void {
    if (this.#phase === "loading") this.#phase = "serving";
  }

  failed(): void {
    if (this.#phase !== "draining") this.#phase = "failed";
  }

  drain(): void {
    this.#phase = "draining";
  }

  admit(functionUid: string, revision: string, parked = false): Admit {
    if (parked) this.#parked -= 1;
    const own = functionUid === this.#functionUid && revision === this.#revision;
    switch (this.#phase) {
      case "draining":
        return { refuse: "draining" };
      case "spare":
        return this.#park();
      case "loading":
        return own ? this.#park() : { refuse: "stale" };
      case "failed":
        return own ? { failed: true } : { refuse: "stale" };
      case "serving":
        return own ? this.#run() : { refuse: "stale" };
    }
  }

  /** Frees the place of an invocation. Must be called exactly once for each `run`, when the handler has settled and the response has ended. */
  finish(): void {
    this.#running -= 1;
  }

  /** Removes a parked request whose client has disconnected. */
  unpark(): void {
    this.#parked -= 1;
  }

  #park(): Admit {
    if (this.#parked >= PARK_DEPTH) return { refuse: "full" };
    this.#parked += 1;
    return { park: true };
  }

  #run(): Admit {
    if (this.#running >= this.#concurrency) return { refuse: "full" };
    this.#running += 1;
    return { run: true };
  }
}
