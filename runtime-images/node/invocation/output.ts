import { StringDecoder } from "node:string_decoder";
import { LOG_MARK, type LogLine } from "../../protocol/messages.ts";
import { REHEARSAL_CALL } from "../rehearsal.ts";
import { type Call, currentCall } from "./call.ts";

/** The longest line that leaves the worker, in characters; of a longer one the rest is counted only. */
const MAX_LINE = 8192;

/** The number of open lines; beyond it the oldest is flushed. Invocations that have ended may still write, and nothing flushes their lines. */
const MAX_OPEN = 1000;

type Write = typeof process.stdout.write;

/** The writer of a line: an invocation, or the function outside its invocations (null). */
type Source = Call | null;

/** Makes each line that is written through process.stdout, process.stderr or console carry its call id. */
export function captureOutput(): void {
  const streams = [new Lines("out", process.stdout), new Lines("err", process.stderr)];
  flushAll = (source) => {
    for (const lines of streams) lines.flush(source);
  };
  process.on("exit", () => {
    for (const lines of streams) lines.flushAll();
  });
}

let flushAll: (source: Source) => void = () => {};

/** Writes the unterminated last line of an invocation that has ended. */
export function flushOutput(call: Call): void {
  flushAll(call);
}

/** The lines of one stream, whose `write` it replaces. Invocations run concurrently, so each has a buffer for its next line. */
export class Lines {
  readonly #stream: LogLine["s"];
  readonly #out: Write;
  readonly #open = new Map<Source, OpenLine>();

  constructor(stream: LogLine["s"], target: { write: Write }) {
    this.#stream = stream;
    this.#out = target.write.bind(target);
    target.write = ((chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
      this.#take(chunk, typeof encoding === "string" ? (encoding as BufferEncoding) : undefined);
      const done = typeof encoding === "function" ? encoding : callback;
      if (typeof done === "function") process.nextTick(done as () => void);
      return true;
    }) as Write;
  }

  flush(source: Source): void {
    const open = this.#open.get(source);
    if (!open) return;
    this.#open.delete(source);
    const line = open.end();
    if (line !== "") this.#out(this.#lineOf(source, line));
  }

  flushAll(): void {
    for (const source of [...this.#open.keys()]) this.flush(source);
  }

  #take(chunk: string | Uint8Array, encoding: BufferEncoding | undefined): void {
    const source = currentCall.getStore() ?? null;
    if (source?.id === REHEARSAL_CALL) return;
    let open = this.#open.get(source) ?? null;
    if (!open && !endsLine(chunk, encoding)) {
      open = new OpenLine();
      this.#open.set(source, open);
      if (this.#open.size > MAX_OPEN) this.flush(this.#open.keys().next().value as Source);
    }
    const text = open ? open.decode(chunk, encoding) : (chunk as string);
    let block = "";
    let from = 0;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
      const piece = text.slice(from, at);
      block += this.#lineOf(source, open ? open.close(piece) : cut(piece, piece.length));
      from = at + 1;
    }
    open?.add(text.slice(from));
    if (open?.isEmpty) this.#open.delete(source);
    if (block) this.#out(block);
  }

  #lineOf(source: Source, line: string): string {
    source?.log?.add(line);
    const t = source?.traceparent;
    return `${LOG_MARK}${JSON.stringify({ c: source?.id ?? null, s: this.#stream, m: line, t } satisfies LogLine)}\n`;
  }
}

/** Whether a chunk is text that ends with a newline, so that nothing of it has to be buffered. */
function endsLine(chunk: string | Uint8Array, encoding: BufferEncoding | undefined): boolean {
  return typeof chunk === "string" && chunk.endsWith("\n") && (encoding === undefined || encoding === "utf8" || encoding === "utf-8");
}

/** A line that has begun; the decoder keeps the first bytes of a character that was split between chunks. */
class OpenLine {
  readonly #decoder = new StringDecoder("utf8");
  #text = "";
  #length = 0;
  #pending = false;

  get isEmpty(): boolean {
    return this.#length === 0 && !this.#pending;
  }

  decode(chunk: string | Uint8Array, encoding: BufferEncoding | undefined): string {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, encoding) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    // Read only while the line has no text yet: true if the decoder may hold the first bytes of a character.
    this.#pending = bytes.length > 0 && (bytes[bytes.length - 1] as number) > 0x7f;
    return this.#decoder.write(bytes);
  }

  add(text: string): void {
    this.#length += text.length;
    if (this.#text.length <= MAX_LINE) this.#text += text.slice(0, MAX_LINE + 1 - this.#text.length);
  }

  /** Ends the line with `text`, and begins the next. */
  close(text: string): string {
    this.add(text);
    const line = cut(this.#text, this.#length);
    this.#text = "";
    this.#length = 0;
    return line;
  }

  end(): string {
    return this.close(this.#decoder.end());
  }
}

function cut(line: string, length: number): string {
  return length <= MAX_LINE ? line : `${line.slice(0, MAX_LINE)}… (${length - MAX_LINE} characters more)`;
}
