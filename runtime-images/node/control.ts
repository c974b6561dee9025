import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Echo, LoadAnswer, LoadOrder } from "../protocol/messages.ts";
import { ORDER_END } from "../protocol/messages.ts";

/** What the control server asks of the supervisor. */
export interface Controlled {
  echo(): Echo;
  load(order: LoadOrder, code: Buffer): LoadAnswer;
  drain(deadlineMs: number): void;
}

/** Largest body of a load order: settings, environment and code. */
const MAX_ORDER_BYTES = 256 * 1024 * 1024;

/**
 * The control API of an instance, on a Unix socket with mode 0600:
 * `GET /v1/echo`, `POST /v1/load`, `POST /v1/drain?deadlineMs=N`, and `GET /v1/events`, which streams
 * the echo as one JSON line now and after each change.
 */
export class Control {
  readonly #server: Server;
  readonly #streams = new Set<ServerResponse>();
  readonly #target: Controlled;

  constructor(target: Controlled) {
    this.#target = target;
    this.#server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (req, res) => this.#route(req, res));
  }

  listen(path: string, ready: () => void): void {
    rmSync(path, { force: true });
    const umask = process.umask(0o177);
    this.#server.listen(path, () => {
      process.umask(umask);
      chmodSync(path, 0o600);
      ready();
    });
  }

  publish(): void {
    const line = `${JSON.stringify(this.#target.echo())}\n`;
    for (const stream of this.#streams) stream.write(line);
  }

  #route(req: IncomingMessage, res: ServerResponse): void {
    const url = new URL(req.url ?? "/", "http://instance");
    const route = `${req.method} ${url.pathname}`;
    if (route === "GET /v1/echo") return reply(res, 200, this.#target.echo());
    if (route === "GET /v1/events") return this.#stream(res);
    if (route === "POST /v1/load") return this.#load(req, res);
    if (route === "POST /v1/drain") {
      this.#target.drain(Number(url.searchParams.get("deadlineMs") ?? 0));
      return reply(res, 202, this.#target.echo());
    }
    reply(res, 404, { error: `no route ${route}` });
  }

  #stream(res: ServerResponse): void {
    res.writeHead(200, { "content-type": "application/x-ndjson" });
    res.write(`${JSON.stringify(this.#target.echo())}\n`);
    this.#streams.add(res);
    res.on("close", () => this.#streams.delete(res));
  }

  #load(req: IncomingMessage, res: ServerResponse): void {
    const chunks: Buffer[] = [];
    let size = 0;
    req.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_ORDER_BYTES) req.destroy();
      else chunks.push(chunk);
    });
    req.on("end", () => {
      const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      const end = body.indexOf(ORDER_END);
      let order: LoadOrder;
      try {
        order = JSON.parse(body.toString("utf8", 0, end < 0 ? body.length : end)) as LoadOrder;
      } catch {
        return reply(res, 400, { error: "the body is not a JSON order, a newline and the code" });
      }
      const answer = this.#target.load(order, end < 0 ? Buffer.alloc(0) : body.subarray(end + 1));
      reply(res, answer.accepted ? 200 : 409, answer);
    });
  }
}

function reply(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { "content-type": "application/json" });
  res.end(JSON.stringify(body));
}
