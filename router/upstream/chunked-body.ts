const CR = 13;
const LF = 10;
/** The longest size line of a chunk, and the longest trailer line, in bytes. */
const MAX_LINE = 8 * 1024;

/** Decodes a chunked body (RFC 9112, 7.1). Drops trailers, and throws at any ambiguity. */
export class ChunkedBody {
  #state: "size" | "data" | "data-end" | "trailer" | "done" = "size";
  #left = 0;
  #line = "";

  get done(): boolean {
    return this.#state === "done";
  }

  /** Calls `onData` for each piece of the body; returns the number of bytes consumed. */
  read(bytes: Buffer, onData: (piece: Buffer) => void): number {
    let at = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state === "data") {
        const end = Math.min(bytes.length, at + this.#left);
        this.#left -= end - at;
        onData(bytes.subarray(at, end));
        at = end;
        if (this.#left === 0) this.#state = "data-end";
      } else {
        at = this.#readLine(bytes, at);
      }
    }
    return at;
  }

  #readLine(bytes: Buffer, from: number): number {
    const end = bytes.indexOf(LF, from);
    const to = end < 0 ? bytes.length : end;
    this.#line += bytes.toString("latin1", from, to);
    if (this.#line.length > MAX_LINE) throw new Error("a line of a chunked body is too long");
    if (end < 0) return to;
    if (this.#line.charCodeAt(this.#line.length - 1) !== CR) throw new Error("a bare line feed in a chunked body");
    const line = this.#line.slice(0, -1);
    this.#line = "";
    this.#next(line);
    return end + 1;
  }

  #next(line: string): void {
    if (this.#state === "data-end") {
      if (line !== "") throw new Error("a chunk is longer than it says");
      this.#state = "size";
    } else if (this.#state === "trailer") {
      if (line === "") this.#state = "done";
    } else {
      const size = /^([0-9a-fA-F]{1,12})(?:[\t ]*;[^\r]*)?$/.exec(line)?.[1];
      if (size === undefined) throw new Error(`not the size of a chunk: ${JSON.stringify(line.slice(0, 40))}`);
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? "trailer" : "data";
    }
  }
}
