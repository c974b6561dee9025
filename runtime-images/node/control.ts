import { createHash, type KeyObject } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { BeatLine, ControlLine, Echo, LoadAnswer, LoadOrder } from "../protocol/messages.ts";
import { BEAT_HEADER, BEATS_QUERY, ORDER_END } from "../protocol/messages.ts";
import { SIGNATURE_HEADER, verifyRequest } from "../protocol/signature.ts";
import type { Identity } from "./certificate.ts";

/** What the control server asks of the supervisor. */
export interface Controlled {
  readonly uid: string;
  echo(): Echo;
  load(order: LoadOrder, code: Buffer): LoadAnswer;
  drain(deadlineMs: number): void;
}

/** Largest body of a load order: settings, environment and code. */
const MAX_ORDER_BYTES = 256 * 1024 * 1024;
/** The order itself, before its code. */
const MAX_HEAD_BYTES = 4 * 1024 * 1024;
/** A follower that does not read loses log lines beyond this. Bytes. */
const MAX_UNREAD = 1024 * 1024;
/** How often a follower that wants to know whether we live is told so. Milliseconds. */
const BEAT_MS = 1000;

/**
 * The control API of an instance: `GET /v1/echo`, `POST /v1/load`, `POST /v1/drain?deadlineMs=N`, and
 * `GET /v1/events`, which streams the echo as one JSON line now and after each change. On a Unix socket with mode
 * 0600; or, for a pod, over TLS, where every request is signed by the leader and the stream carries output too. A
 * follower that asks for beats hears something every second: a supervisor that is stopped or cut off is noticed.
 */
export class Control {
  readonly #streams = new Set<ServerResponse>();
  /** Those of them that want beats. */
  readonly #beating = new Set<ServerResponse>();
  #beat: NodeJS.Timeout | null = null;
  readonly #target: Controlled;
  #leaderKey: KeyObject | null = null;

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

  async listenTls(address: { host: string; port: number }, identity: Identity, leaderKey: KeyObject): Promise<void> {
    this.#leaderKey = leaderKey;
    // Embedded instances need no TLS, and loading it takes a tenth of their supervisor's start.
    const { createServer: createTlsServer } = await import("node:https");
    const key = identity.key.export({ type: "pkcs8", format: "pem" });
    configured(createTlsServer({ key, cert: identity.cert, minVersion: "TLSv1.3" }, this.#listener)).listen(address);
  }

  publish(): void {
    this.#tell({ echo: this.#target.echo() });
  }

  log(line: string): void {
    this.#tell({ log: line });
  }

  readonly #listener: RequestListener = (req, res) => {
    const url = new URL(req.url ?? "/", "http://instance");
    const route = `${req.method} ${url.pathname}`;
    if (route === "POST /v1/load") return this.#load(req, res);
    if (!this.#isSigned(req, "")) return reply(res, 401, { error: "the request is not signed by the leader" });
    if (route === "GET /v1/echo") return reply(res, 200, this.#target.echo());
    if (route === "GET /v1/events") return this.#stream(res, url.searchParams.has(BEATS_QUERY));
    if (route === "POST /v1/drain") {
      this.#target.drain(Number(url.searchParams.get("deadlineMs") ?? 0));
      return reply(res, 202, this.#target.echo());
    }
    reply(res, 404, { error: `no route ${route}` });
  };

  #isSigned(req: IncomingMessage, order: string): boolean {
    if (!this.#leaderKey) return true;
    const signed = { uid: this.#target.uid, method: req.method ?? "", url: req.url ?? "", order };
    return verifyRequest(signed, String(req.headers[SIGNATURE_HEADER] ?? ""), this.#leaderKey);
  }

  #tell(line: ControlLine): void {
    if (this.#streams.size === 0) return;
    const text = `${JSON.stringify(line)}\n`;
    for (const stream of this.#streams) if (line.log === undefined || stream.writableLength < MAX_UNREAD) stream.write(text);
  }

  #stream(res: ServerResponse, beats: boolean): void {
    res.writeHead(200, { "content-type": "application/x-ndjson", ...(beats && { [BEAT_HEADER]: BEAT_MS }) });
    res.write(`${JSON.stringify({ echo: this.#target.echo() } satisfies ControlLine)}\n`);
    this.#streams.add(res);
    if (beats) this.#beating.add(res);
    this.#keepTime();
    res.on("close", () => {
      this.#streams.delete(res);
      this.#beating.delete(res);
      this.#keepTime();
    });
  }

  /** One timer for all who want beats, none without them. */
  #keepTime(): void {
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

  /** The order is checked as soon as it is there: code is taken only from the leader. */
  #load(req: IncomingMessage, res: ServerResponse): void {
    const chunks: Buffer[] = [];
    let size = 0;
    let order: LoadOrder | null = null;
    let codeAt = 0;
    const refuse = (status: number, error: string) => {
      reply(res, status, { error });
      req.removeAllListeners("data").resume();
    };
    req.on("data", (chunk: Buffer) => {
      const end = order ? -1 : chunk.indexOf(ORDER_END);
      chunks.push(chunk);
      if (end >= 0) {
        codeAt = size + end + 1;
        const head = Buffer.concat(chunks).toString("utf8", 0, codeAt - 1);
        if (!this.#isSigned(req, head)) return refuse(401, "the order is not signed by the leader");
        order = parseOrder(head);
        if (!order) return refuse(400, "the body is not a JSON order, a newline and the code");
      }
      size += chunk.length;
      if (size > (order ? MAX_ORDER_BYTES : MAX_HEAD_BYTES)) req.destroy();
    });
    req.on("end", () => {
      if (res.headersSent) return;
      if (!order) return reply(res, 400, { error: "the body is not a JSON order, a newline and the code" });
      const code = (chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).subarray(codeAt);
      if (this.#leaderKey && order.source?.kind === "inline" && digestOf(code) !== order.source.archive)
        return reply(res, 400, { error: "the code is not the one that the order names" });
      const answer = this.#target.load(order, code);
      reply(res, answer.accepted ? 200 : 409, answer);
    });
  }
}

function configured(server: Server): Server {
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  return server;
}

function parseOrder(text: string): LoadOrder | null {
  try {
    return JSON.parse(text) as LoadOrder;
  } catch {
    return null;
  }
}

function digestOf(code: Buffer): string {
  return `sha256:${createHash("sha256").update(code).digest("hex")}`;
}

function reply(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { "content-type": "application/json" });
  res.end(JSON.stringify(body));
}
