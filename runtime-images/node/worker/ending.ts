import { currentCall } from "../invocation/call.ts";
import { timers } from "../timers.ts";

/** How long a function's listeners for SIGTERM may take to clean up. */
const TERM_GRACE_MS = 2000;

interface Closable {
  close(): unknown;
  closeAllConnections(): void;
}

/** The end of a worker's process. */
export class Ending {
  readonly #server: Closable;
  #left = false;
  #terminated = false;

  constructor(server: Closable) {
    this.#server = server;
  }

  /** The function has been told that its process is about to end. */
  get isTold(): boolean {
    return this.#terminated;
  }

  /** Ends the process, after the function's own listeners for SIGTERM, if it has any. */
  leave(code: number): void {
    // Closing the connections below calls this method once more.
    if (this.#left) return;
    this.#left = true;
    if (process.listenerCount("SIGTERM") === 0) process.exit(code);
    timers.setTimeout(() => process.exit(code), TERM_GRACE_MS).unref();
    // From here on only the function's own work keeps the process alive.
    this.#server.close();
    currentCall.exit(() => this.#server.closeAllConnections());
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
