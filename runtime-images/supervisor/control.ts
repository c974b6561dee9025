import { createHash, type KeyObject } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { BeatLine, ControlLine, Echo, LoadAnswer, LoadOrder } from "../protocol/messages.ts";
import { BEAT_HEADER, BEATS_QUERY, ORDER_END } from "../protocol/messages.ts";
import { parseOrder, wrongField } from "../protocol/order.ts";
import { SIGNATURE_HEADER, verifyRequest } from "../protocol/signature.ts";
import type { Identity } from "./certificate.ts";
import { UnsignedConnections } from "./unsigned-connections.ts";

/** The part of the supervisor that the control server uses. */
export interface Controlled {
  readonly uid: string;
  echo(): Echo;
  load(order: LoadOrder, code: Buffer): LoadAnswer;
  drain(deadlineMs: number): void;
}

/** The largest body of a load order: settings, environment and code. */
const MAX_ORDER_BYTES = 256 * 1024 * 1024;
/** The largest order without its code. */
const MAX_HEAD_BYTES = 4 * 1024 * 1024;
/** How many unread bytes are buffered for a follower; beyond this it loses log lines and beats. */
const MAX_UNREAD = 1024 * 1024;
/** The interval of beats. */
const BEAT_MS = 1000;
/** The longest deadline of a drain: the longest time that a timer can wait. */
const MAX_DRAIN_MS = 2 ** 31 - 1;
/** How long a TLS handshake may take. */
const HANDSHAKE_MS = 5000;

/**
 * The control API of an instance: `GET /v1/echo`, `POST /v1/load`, `POST /v1/drain?deadlineMs=N`, and
 * `GET /v1/events`, which streams the echo as one JSON line now and after each change. It is served on a Unix socket with
 * mode 0600 or, in a pod, over TLS, where the leader signs every request and the stream carries output too. The signature
 * covers the bytes as received, and is checked before anything of a request is interpreted. A follower that asks for
 * beats receives one every second, so that it notices a supervisor that is stopped or cut off.
 */
export class Control {
  readonly #streams = new Set<ServerResponse>();
  /** The streams that receive beats. */
  readonly #beating = new Set<ServerResponse>();
  #beat: NodeJS.Timeout | null = null;
  readonly #target: Controlled;
  #leaderKey: KeyObject | null = null;
  readonly #unsigned = new UnsignedConnections();

  constructor(target: Controlled) {
    this.#target = target;
  }

  listen(path: string, ready: () => void): void {
    rmSync(path, { force: true });
    const umask = process.umask(0o177);
    const server = configured(createServer(this.#listener));
    server.listen(path, () => {
      process.umask(umask);
      chmodSync(path, 0o600);
      ready();
    });
  }

  async listenTls(address: { host: string | undefined; port: number }, identity: Identity, leaderKey: KeyObject): Promise<void> {
    this.#leaderKey = leaderKey;
    // Imported here since embedded instances need no TLS, and loading it takes a tenth of a supervisor's start.
    const { createServer: createTlsServer } = await import("node:https");
    const key = identity.key.export({ type: "pkcs8", format: "pem" });
    const server = configured(createTlsServer({ key, cert: identity.cert, minVersion: "TLSv1.3", handshakeTimeout: HANDSHAKE_MS }, this.#listener));
    this.#unsigned.watch(server);
    server.listen(address);
  }

  publish(): void {
    this.#broadcast({ echo: this.#target.echo() });
  }

  log(line: string): void {
    this.#broadcast({ log: line });
  }

  readonly #listener: RequestListener = (req, res) => guarded(res, () => this.#answer(req, res));

  #answer(req: IncomingMessage, res: ServerResponse): void {
    const [path = "", query] = (req.url ?? "").split("?");
    const route = `${req.method} ${path}`;
    if (route === "POST /v1/load") return this.#load(req, res);
    if (!this.#isSigned(req, "")) return reply(res, 401, { error: "the request is not signed by the leader" });
    const given = new URLSearchParams(query);
    if (route === "GET /v1/echo") return reply(res, 200, this.#target.echo());
    if (route === "GET /v1/events") return this.#stream(res, given.has(BEATS_QUERY));
    if (route === "POST /v1/drain") return this.#drain(given.get("deadlineMs"), res);
    reply(res, 404, { error: "there is no such route" });
  }

  #drain(deadlineMs: string | null, res: ServerResponse): void {
    const ms = Number(deadlineMs ?? 0);
    if (!(ms >= 0 && ms <= MAX_DRAIN_MS)) return reply(res, 400, { error: "deadlineMs is not a number of milliseconds" });
    this.#target.drain(ms);
    reply(res, 202, this.#target.echo());
  }

  #isSigned(req: IncomingMessage, order: string): boolean {
    if (!this.#leaderKey) return true;
    const signed = { uid: this.#target.uid, method: req.method ?? "", url: req.url ?? "", order };
    const isSigned = verifyRequest(signed, String(req.headers[SIGNATURE_HEADER] ?? ""), this.#leaderKey);
    if (isSigned) this.#unsigned.believe(req.socket);
    return isSigned;
  }

  #broadcast(line: ControlLine): void {
    if (this.#streams.size === 0) return;
    const text = `${JSON.stringify(line)}\n`;
    for (const stream of this.#streams) if (line.log === undefined || stream.writableLength < MAX_UNREAD) stream.write(text);
  }

  #stream(res: ServerResponse, beats: boolean): void {
    res.writeHead(200, { "content-type": "application/x-ndjson", ...(beats && { [BEAT_HEADER]: BEAT_MS }) });
    res.write(`${JSON.stringify({ echo: this.#target.echo() } satisfies ControlLine)}\n`);
    this.#streams.add(res);
    if (beats) this.#beating.add(res);
    this.#setBeatTimer();
    res.on("close", () => {
      this.#streams.delete(res);
      this.#beating.delete(res);
      this.#setBeatTimer();
    });
  }

  /** Keeps one timer for all streams with beats, and none without any. */
  #setBeatTimer(): void {
    if (this.#beating.size > 0) {
      this.#beat ??= setInterval(() => this.#sendBeats(), BEAT_MS).unref();
    } else if (this.#beat) {
      clearInterval(this.#beat);
      this.#beat = null;
    }
  }

  #sendBeats(): void {
    const text = `${JSON.stringify({ beat: true } satisfies BeatLine)}\n`;
    for (const stream of this.#beating) if (stream.writableLength < MAX_UNREAD) stream.write(text);
  }

  /** Receives an order and its code. The order is checked as soon as it is complete: code is accepted only from the leader. */
  #load(req: IncomingMessage, res: ServerResponse): void {
    const chunks: Buffer[] = [];
    let size = 0;
    let order: Partial<LoadOrder> | null = null;
    let codeAt = 0;
    const refuse = (status: number, error: string) => {
      reply(res, status, { error });
      chunks.length = 0;
      req.removeAllListeners("data").resume();
    };
    const takeHead = (head: string) => {
      if (!this.#isSigned(req, head)) return refuse(401, "the order is not signed by the leader");
      order = parseOrder(head);
      if (!order) return refuse(400, "the body is not a JSON order, a newline and the code");
    };
    const take = (chunk: Buffer) => {
      const end = order ? -1 : chunk.indexOf(ORDER_END);
      chunks.push(chunk);
      if (!order) this.#unsigned.received(req.socket, chunk.length);
      if (end >= 0) {
        codeAt = size + end + 1;
        takeHead(Buffer.concat(chunks).toString("utf8", 0, codeAt - 1));
      }
      size += chunk.length;
      if (size > (order ? MAX_ORDER_BYTES : MAX_HEAD_BYTES)) req.destroy();
    };
    req.on("data", (chunk: Buffer) => guarded(res, () => take(chunk)));
    req.on("end", () =>
      guarded(res, () => {
        if (res.headersSent) return;
        if (!order) return reply(res, 400, { error: "the body is not a JSON order, a newline and the code" });
        const code = (chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).subarray(codeAt);
        this.#accept(order, code, res);
      }),
    );
  }

  #accept(order: Partial<LoadOrder>, code: Buffer, res: ServerResponse): void {
    // An order for another instance, or for another boot of this one, is refused as `uid` or `boot` even if it is invalid otherwise.
    const { uid, bootId } = this.#target.echo();
    const invalid = order.uid === uid && order.bootId === bootId ? wrongField(order) : null;
    if (invalid) return reply(res, 400, { error: `the order's ${invalid} is missing or invalid` });
    const valid = order as LoadOrder;
    if (this.#leaderKey && valid.source?.kind === "inline" && digestOf(code) !== valid.source.archive)
      return reply(res, 400, { error: "the code does not have the digest that the order names" });
    const answer = this.#target.load(valid, code);
    reply(res, answer.accepted ? 200 : 409, answer);
  }
}

/** Answers a request whose handler throws with 500, so that an error never ends the instance. */
function guarded(res: ServerResponse, work: () => void): void {
  try {
    work();
  } catch (error) {
    process.stderr.write(`supervisor: a control request failed: ${(error as Error).stack}\n`);
    if (res.headersSent) res.destroy();
    else reply(res, 500, { error: "the request failed inside the instance" });
  }
}

function configured(server: Server): Server {
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  return server;
}

function digestOf(code: Buffer): string {
  return `sha256:${createHash("sha256").update(code).digest("hex")}`;
}

function reply(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { "content-type": "application/json" });
  res.end(JSON.stringify(body));
}
