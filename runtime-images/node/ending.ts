import { timers } from "./timers.ts";

/** How long a function's listeners for SIGTERM may take to clean up. */
const TERM_GRACE_MS = 2000;

/** The end of a worker's process. */
export class Ending {
  readonly #closeAll: () => void;
  #left = false;
  #terminated = false;

  /** `closeAll` closes the server and its connections. */
  constructor(closeAll: () => void) {
    this.#closeAll = closeAll;
  }

  /** The function has been told that its process is about to end. */
  get isTold(): boolean {
    return this.#terminated;
  }

  /** Ends the process, after the function's own listeners for SIGTERM, if it has any. */
  leave(code: number): void {
    // Closing the connections calls this method once more.
    if (this.#left) return;
    this.#left = true;
    if (process.listenerCount("SIGTERM") === 0) process.exit(code);
    timers.setTimeout(() => process.exit(code), TERM_GRACE_MS).unref();
    // From here on only the function's own work keeps the process alive.
    this.#closeAll();
    process.channel?.unref();
    this.tell();
  }

  /** Emits SIGTERM to the function, once. */
  tell(): void {
    if (this.#terminated) return;
    this.#terminated = true;
    process.emit("SIGTERM", "SIGTERM");
  }
}
