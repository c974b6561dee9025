import { type CapturedLine, readLine } from "../../runtime-images/protocol/telemetry/captured-line.ts";
import { parseDuration } from "./manifest/duration.ts";

export interface LogEntry extends CapturedLine {
  time: string;
  instance: string;
}

const MAX_LINES = 1000;
const MAX_BYTES = 256 * 1024;
const MAX_LINE = 8192;
const MAX_FOLLOWERS = 32;
/** Maximum number of lines of one function that are kept per second; further ones are only counted. */
const MAX_RATE = 2000;

/** How long before its instance is known to have a function a line may come: output and records take different ways. */
const EARLY_MS = 2000;
const MAX_EARLY_LINES = 100;
const MAX_EARLY_INSTANCES = 1000;

interface Buffer {
  entries: LogEntry[];
  bytes: number;
  followers: Set<(entry: LogEntry) => void>;
  second: number;
  inSecond: number;
  dropped: number;
}

/** The latest output of each function, in memory: bounded in lines, bytes, rate and followers. */
export class FunctionLogs {
  readonly #onEntry: (functionUid: string, entry: LogEntry) => void;
  readonly #buffers = new Map<string, Buffer>();
  /** Lines of instances without a known function, and when they came, by instance; the instance that wrote last is last. */
  readonly #early = new Map<string, { line: string; at: number }[]>();

  /** `onEntry` receives every line of every function at once, those beyond the rate included. */
  constructor(onEntry: (functionUid: string, entry: LogEntry) => void = () => {}) {
    this.#onEntry = onEntry;
  }

  /** Adds a line as the instance wrote it. */
  add(functionUid: string, instance: string, line: string): void {
    const buffer = this.#buffer(functionUid);
    const now = new Date();
    const second = Math.floor(now.getTime() / 1000);
    if (second !== buffer.second) this.#nextSecond(buffer, second, instance, now);
    buffer.inSecond += 1;
    const entry = { time: now.toISOString(), instance, ...parse(line) };
    this.#onEntry(functionUid, entry);
    if (buffer.inSecond > MAX_RATE) buffer.dropped += 1;
    else keep(buffer, entry);
  }

  /** Keeps a line of an instance that is not known to have a function. `now` in milliseconds. */
  addEarly(instance: string, line: string, now: number): void {
    const lines = [...(this.#early.get(instance) ?? []).filter(({ at }) => now - at <= EARLY_MS), { line, at: now }];
    this.#early.delete(instance);
    this.#early.set(instance, lines.slice(-MAX_EARLY_LINES));
    for (const [other, theirs] of this.#early) {
      if (this.#early.size <= MAX_EARLY_INSTANCES && now - (theirs.at(-1)?.at ?? 0) <= EARLY_MS) break;
      this.#early.delete(other);
    }
  }

  /** The instance is known to have this function, to which the lines of the moment before belong. */
  claimed(functionUid: string, instance: string, now: number): void {
    const lines = this.#early.get(instance);
    if (!lines) return;
    this.#early.delete(instance);
    for (const { line, at } of lines) if (now - at <= EARLY_MS) this.add(functionUid, instance, line);
  }

  /** The latest lines, oldest first. `sinceMs`: only those received at this wall-clock time or later. */
  tail(functionUid: string, lines: number, callId?: string, sinceMs = 0): LogEntry[] {
    const entries = this.#buffers.get(functionUid)?.entries ?? [];
    const asked = entries.filter((entry) => (callId === undefined || entry.callId === callId) && (sinceMs === 0 || Date.parse(entry.time) >= sinceMs));
    return lines === 0 ? [] : asked.slice(-lines);
  }

  /** Calls `listener` with each new entry; returns null if there are too many followers. */
  follow(functionUid: string, listener: (entry: LogEntry) => void): (() => void) | null {
    const { followers } = this.#buffer(functionUid);
    if (followers.size >= MAX_FOLLOWERS) return null;
    followers.add(listener);
    return () => followers.delete(listener);
  }

  forget(functionUid: string): void {
    this.#buffers.delete(functionUid);
  }

  #nextSecond(buffer: Buffer, second: number, instance: string, now: Date): void {
    const { dropped } = buffer;
    buffer.second = second;
    buffer.inSecond = 0;
    buffer.dropped = 0;
    if (dropped === 0) return;
    const message = `berth: ${dropped} lines beyond ${MAX_RATE} in a second were dropped`;
    keep(buffer, { time: now.toISOString(), instance, stream: "err", callId: null, traceId: null, spanId: null, message });
  }

  #buffer(functionUid: string): Buffer {
    let buffer = this.#buffers.get(functionUid);
    if (!buffer) {
      buffer = { entries: [], bytes: 0, followers: new Set(), second: 0, inSecond: 0, dropped: 0 };
      this.#buffers.set(functionUid, buffer);
    }
    return buffer;
  }
}

function keep(buffer: Buffer, entry: LogEntry): void {
  buffer.entries.push(entry);
  buffer.bytes += entry.message.length;
  let excess = 0;
  while (buffer.entries.length - excess > MAX_LINES || buffer.bytes > MAX_BYTES) {
    buffer.bytes -= buffer.entries[excess]?.message.length ?? 0;
    excess += 1;
  }
  if (excess > 0) buffer.entries.splice(0, excess);
  for (const follower of buffer.followers) follower(entry);
}

function parse(line: string): CapturedLine {
  const captured = readLine(line);
  return { ...captured, message: captured.message.slice(0, MAX_LINE) };
}

/**
 * The time that "10m" (ago), or a date and time of ISO 8601, means; in milliseconds of the wall clock, as is `now`. `text`
 * matches `PATTERNS.since`. Null: its month has no such day, which would be taken for one of the next month.
 */
export function sinceMs(text: string, now: number): number | null {
  const ago = parseDuration(text);
  if (ago !== null) return now - ago;
  const date = text.slice(0, 10);
  return new Date(date).toISOString().startsWith(date) ? Date.parse(text) : null;
}
