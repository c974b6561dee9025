import type { KeyObject } from "node:crypto";
import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { BEAT_HEADER, BEATS_QUERY, type BeatLine, type ControlLine, type LoadAnswer, type LoadOrder } from "../../runtime-images/protocol/messages.ts";
import { SIGNATURE_HEADER, signRequest } from "../../runtime-images/protocol/signature.ts";
import { pinnedAgent } from "./pinned-agent.ts";
import { PlatformError } from "./platform.ts";
import { silenceDetector, type WatchedStream } from "./silence-detector.ts";

/** How long the event stream's connection may take to open, and its answer to begin. */
const FOLLOW_MS = 2000;
/** How long the connection of an order may take to open if none is open yet. */
export const ORDER_MS = 1000;
/**
 * An instance is unreachable if no byte of an order or its answer has moved for this long. A Unix socket involves no
 * network that could be cut, so its bound is longer.
 */
const POD_ANSWER_MS = 2000;
const SOCKET_ANSWER_MS = 5000;
/** How long an order may take if heartbeats arrive meanwhile: the instance is busy, not gone. */
const BUSY_MS = 6000;
/** The least time that an order gets, even if the instance was already silent when it began. */
const LEAST_MS = 250;
/** An instance that announced heartbeats is gone once this many are missing. */
const BEATS_MISSED = 4;
/** The longest heartbeat interval that is accepted: no runtime beats less often. */
const RAREST_BEAT_MS = 60_000;

/** The address of an instance's control API: a Unix socket, or a TLS port whose certificate is pinned. */
export type ControlAddress = { socketPath: string } | { host: string; port: number; fingerprint: string; uid: string; key: KeyObject };

/** The client of an instance's control API. */
export class ControlClient {
  readonly #address: ControlAddress;
  readonly #agent: Agent;
  readonly #answerMs: number;
  #events: IncomingMessage | null = null;
  /** Watches the event stream for heartbeats; null: there is no stream, or the instance sends none. */
  #beats: WatchedStream | null = null;
  #closed = false;

  constructor(address: ControlAddress) {
    this.#address = address;
    this.#agent = "host" in address ? pinnedAgent(address.fingerprint, FOLLOW_MS) : new Agent({ keepAlive: true, maxSockets: 2 });
    this.#answerMs = "host" in address ? POD_ANSWER_MS : SOCKET_ANSWER_MS;
  }

  async load(order: LoadOrder, code: Uint8Array): Promise<LoadAnswer> {
    const head = JSON.stringify(order);
    return (await this.#call("POST", "/v1/load", head, code)) as LoadAnswer;
  }

  async drain(deadlineMs: number): Promise<void> {
    await this.#call("POST", `/v1/drain?deadlineMs=${deadlineMs}`);
  }

  /**
   * Follows the instance's events, beginning with its present echo. `onEnd` is called once when the stream has ended,
   * with the reason if there is one. Missing heartbeats of a pod's instance end the stream too.
   */
  follow(onLine: (line: ControlLine) => void, onEnd: (error: Error | null) => void = () => {}): void {
    let ended = false;
    const end = (error: Error | null) => {
      if (ended) return;
      ended = true;
      onEnd(error);
    };
    const url = "host" in this.#address ? `/v1/events?${BEATS_QUERY}=1` : "/v1/events";
    const headers = this.#signature("GET", url, "");
    const req = request({ ...this.#target(), agent: this.#agent, path: url, headers, timeout: FOLLOW_MS }, (res) => {
      req.setTimeout(0);
      if (res.statusCode !== 200) return req.destroy(new Error(`the instance answers ${res.statusCode}`));
      this.#events = res;
      if (this.#closed) res.destroy();
      const fail = (error: Error) => {
        end(error);
        res.destroy();
      };
      this.#watch(res, fail);
      readLines(res, onLine, fail);
      res.on("close", () => end(null));
    });
    req.on("timeout", () => req.destroy(new Error(`no answer within ${FOLLOW_MS} ms`)));
    req.on("error", end);
    req.on("close", () => end(null));
    req.end();
  }

  /** Opens the load order's connection in advance and exercises both sides with an order that no instance accepts. */
  async warm(): Promise<void> {
    await this.#call("POST", "/v1/load", JSON.stringify({ uid: "nobody" }));
  }

  close(): void {
    this.#closed = true;
    this.#events?.destroy();
    this.#agent.destroy();
  }

  /** Watches for missing heartbeats. Older runtimes send none, and are not watched. */
  #watch(res: IncomingMessage, onSilent: (error: Error) => void): void {
    const everyMs = Number(res.headers[BEAT_HEADER] ?? 0);
    if (!(everyMs > 0 && everyMs <= RAREST_BEAT_MS)) return;
    const limitMs = BEATS_MISSED * everyMs;
    const beats = silenceDetector().watch(limitMs, () => onSilent(new Error(`silent for ${limitMs / 1000} s`)));
    this.#beats = beats;
    res.on("data", () => beats.heard());
    res.on("close", () => {
      beats.end();
      if (this.#beats === beats) this.#beats = null;
    });
  }

  #target(): { socketPath: string } | { host: string; port: number } {
    return "host" in this.#address ? { host: this.#address.host, port: this.#address.port } : { socketPath: this.#address.socketPath };
  }

  #signature(method: string, url: string, order: string): Record<string, string> {
    if (!("key" in this.#address)) return {};
    const { uid, key } = this.#address;
    return { [SIGNATURE_HEADER]: signRequest({ uid, method, url, order }, key) };
  }

  #call(method: string, path: string, order = "", code?: Uint8Array): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => reject(new PlatformError("UNREACHABLE", `the instance does not answer: ${error.message}`));
      const quietMs = this.#beats?.quietMs ?? 0;
      // An instance that has already been silent for the bound fails further orders at once.
      if (quietMs >= this.#answerMs) return failed(new Error(`silent for ${Math.round(quietMs)} ms`));
      const head = order ? Buffer.from(`${order}\n`) : Buffer.alloc(0);
      const headers = { "content-length": head.length + (code?.length ?? 0), ...this.#signature(method, path, order) };
      const req = request({ ...this.#target(), agent: this.#agent, method, path, headers, timeout: ORDER_MS }, (res) => {
        const chunks: Buffer[] = [];
        res.on("data", (chunk: Buffer) => chunks.push(chunk));
        res.on("error", failed);
        res.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          if (res.statusCode === 400 || res.statusCode === 401) return failed(new Error(text));
          const answer = parsed(text);
          if (answer === null) failed(notOurs(text));
          else resolve(answer);
        });
      });
      this.#bound(req, failed);
      req.on("error", failed);
      if (code && code.length > 0) req.write(head);
      req.end(code && code.length > 0 ? code : head);
    });
  }

  /** Ends a request if no byte moves in either direction: a large order that progresses may take as long as it needs. */
  #bound(req: ClientRequest, failed: (error: Error) => void): void {
    const beganAt = performance.now();
    // A destroyed request that waits for a connection emits its error only once the agent has opened one, or has failed to.
    const fail = (error: Error) => {
      failed(error);
      req.destroy(error);
    };
    const left = (quietMs: number) => Math.max(LEAST_MS, this.#answerMs - quietMs);
    // The request may be queued behind others, which have their own bounds: it waits as long as the instance sends heartbeats.
    const wait = () => {
      const quietMs = this.#beats?.sinceHeardMs ?? this.#answerMs;
      if (quietMs < this.#answerMs) timer = setTimeout(waited, left(quietMs));
      else fail(new Error(`no connection within ${Math.round(performance.now() - beganAt)} ms`));
    };
    const waited = () => setImmediate(() => req.socket || req.destroyed || wait());
    let timer = setTimeout(waited, left(this.#beats?.quietMs ?? 0));
    req.once("close", () => clearTimeout(timer));
    req.on("socket", (socket) => {
      clearTimeout(timer);
      const decide = () => {
        const quietMs = this.#beats?.sinceHeardMs ?? this.#answerMs;
        const takenMs = performance.now() - beganAt;
        if (quietMs < this.#answerMs && takenMs < BUSY_MS) socket.setTimeout(left(quietMs));
        else fail(new Error(`no answer within ${Math.round(takenMs)} ms`));
      };
      // Bytes that arrived while this process was stalled are read first.
      const idle = () => setImmediate(() => req.destroyed || decide());
      socket.setTimeout(left(this.#beats?.quietMs ?? 0)).on("timeout", idle);
      req.once("close", () => socket.setTimeout(0).off("timeout", idle));
    });
  }
}

/** Calls `onLine` for each line but heartbeats. A line that is not JSON ends the stream: nothing after it can be trusted. */
function readLines(res: IncomingMessage, onLine: (line: ControlLine) => void, fail: (error: Error) => void): void {
  const lines = createInterface({ input: res });
  lines.on("line", (text) => {
    const line = parsed(text) as ControlLine | BeatLine | null;
    if (line === null) fail(notOurs(text));
    else if (!("beat" in line)) onLine(line);
  });
  // Both the readline interface and its input report a broken stream as an error; `close` already handles it.
  for (const stream of [lines, res]) stream.on("error", () => {});
}

/** Parses a JSON object; null: the text is none. */
function parsed(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

function notOurs(text: string): Error {
  return new Error(`this is not a message of an instance: ${JSON.stringify(text.slice(0, 80))}`);
}
