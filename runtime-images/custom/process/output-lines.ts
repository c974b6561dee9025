import type { Readable } from "node:stream";
import { eachLine } from "../../protocol/lines.ts";

/** How many of the last lines of output an error quotes. */
const QUOTED_LINES = 20;
const QUOTED_CHARS = 300;

export type OnLine = (stream: "out" | "err", line: string) => void;

/** A program's output by lines, of which the last are kept for errors. */
export class OutputLines {
  readonly #onLine: OnLine;
  readonly #latest: string[] = [];

  constructor(onLine: OnLine) {
    this.#onLine = onLine;
  }

  read(stream: "out" | "err", from: Readable): void {
    eachLine(from, (line) => {
      this.#latest.push(line.slice(0, QUOTED_CHARS));
      if (this.#latest.length > QUOTED_LINES) this.#latest.shift();
      this.#onLine(stream, line);
    });
  }

  get latest(): readonly string[] {
    return this.#latest;
  }
}
