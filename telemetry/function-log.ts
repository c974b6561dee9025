import { constants, fstatSync, openSync } from "node:fs";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import type { CapturedLine } from "../runtime-images/protocol/telemetry/captured-line.ts";
import { jsonLine } from "../runtime-images/protocol/telemetry/json-line.ts";

/** How many bytes wait for a slow reader; lines beyond that are dropped and counted. */
const MAX_WAITING = 8 * 1024 * 1024;
/** How long the end waits for the reader of the last lines. */
const LAST_LINES_MS = 1000;

/** A line of a function's output, as the pool manager has received it. */
export interface FunctionLine extends CapturedLine {
  /** ISO 8601. */
  time: string;
  /** The instance's uid. */
  instance: string;
}

/** Writes functions' output as JSON lines. A reader that is slow or has stopped holds nothing up. */
export class FunctionLog {
  readonly #out: Writable;
  readonly #dropped: () => void;
  #isBroken = false;

  /** `dropped` is called for each line that is not written. */
  constructor(out: Writable, dropped: () => void) {
    this.#out = out;
    this.#dropped = dropped;
    // A reader that is gone, which is no reason to end: the lines are dropped from now on.
    out.on("error", () => {
      this.#isBroken = true;
    });
  }

  write(fn: string, { time, instance, ...line }: FunctionLine): void {
    if (this.#isBroken || this.#out.writableLength > MAX_WAITING) return this.#dropped();
    this.#out.write(`${jsonLine(line, { function: fn, instance }, time)}\n`);
  }

  /** Resolves once the last lines have been written, or after a second. */
  async close(): Promise<void> {
    if (this.#isBroken) return;
    const written = new Promise<void>((resolve) => this.#out.write("", () => resolve()));
    await Promise.race([written, new Promise((resolve) => setTimeout(resolve, LAST_LINES_MS).unref())]);
    if (this.#out !== process.stdout) this.#out.destroy();
  }
}

/**
 * Standard output, whose reader cannot hold up this process: writes to a pipe block, also at the exit, and it is therefore
 * opened once more without that.
 */
export function openStdout(): Writable {
  if (!fstatSync(process.stdout.fd).isFIFO()) return process.stdout;
  try {
    const fd = openSync("/proc/self/fd/1", constants.O_WRONLY | constants.O_NONBLOCK);
    return new Socket({ fd, readable: false, writable: true });
  } catch {
    // Another user's pipe, or no Linux.
    return process.stdout;
  }
}
