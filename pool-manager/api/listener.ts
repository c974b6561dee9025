import { once } from "node:events";
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { listenHost } from "../../runtime-images/protocol/listen-host.ts";
import { ManagerError } from "../errors.ts";
import { refuseBroken } from "./malformed-requests.ts";

const REQUEST_MS = 120_000;
const LINGER_MS = 300;

/** What is answered before anybody else answers. */
export const starting = refusing("NOT_READY", "still starting");
/** What is answered when nobody else does any more: nothing of the request has been done. */
const stopping = refusing("NO_LEADER", "this pool manager stops");

function refusing(code: "NOT_READY" | "NO_LEADER", why: string): RequestListener {
  const { message, fix, status } = new ManagerError(code, why);
  const body = JSON.stringify({ error: { code, message, fix } });
  const headers = { "content-type": "application/json", "retry-after": "1", connection: "close" };
  return (_req, res) => res.writeHead(status, headers).end(body);
}

/** The listener of the manage API: who answers there changes when this pool manager begins to lead. */
export class ApiListener {
  readonly #server: Server;
  readonly port: number;
  #handler: RequestListener;
  /** Those that the present handler is giving. */
  #answers = new Set<ServerResponse>();

  private constructor(server: Server, handler: RequestListener) {
    this.#server = server;
    this.#handler = handler;
    this.port = (server.address() as AddressInfo).port;
    server.on("request", (req, res) => {
      const answers = this.#answers;
      answers.add(res);
      res.once("close", () => answers.delete(res));
      this.#handler(req, res);
    });
    refuseBroken(server, (socket) => [...this.#answers].some((answer) => answer.socket === socket && answer.headersSent));
  }

  /** Rejects with EADDRINUSE and the like. */
  static async listen(host: string, port: number, handler: RequestListener): Promise<ApiListener> {
    const server = createServer({ requestTimeout: REQUEST_MS, requireHostHeader: false });
    server.listen(port, listenHost(host));
    await once(server, "listening");
    return new ApiListener(server, handler);
  }

  /** Has another one answer. What is being answered gets a moment; then it ends, streams above all: they would go on with somebody else's. */
  handOver(handler: RequestListener): void {
    this.#handler = handler;
    const former = this.#answers;
    this.#answers = new Set();
    setTimeout(() => {
      for (const answer of former) answer.destroy();
    }, LINGER_MS);
  }

  /** Takes no further request; those that are being answered go on until `close`. */
  stop(): void {
    this.#handler = stopping;
  }

  /** Ends every connection: those in use get a moment to hear of it. */
  async close(): Promise<void> {
    this.stop();
    if (await this.#isInUse()) await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #isInUse(): Promise<boolean> {
    return new Promise((resolve) => this.#server.getConnections((_error, count) => resolve(count > 0)));
  }
}
