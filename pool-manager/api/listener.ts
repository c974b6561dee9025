import { once } from "node:events";
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { listenHost } from "../../runtime-images/protocol/listen-host.ts";
import { sleep } from "../async/wait.ts";
import { ManagerError } from "../errors.ts";
import { refuseBroken } from "./malformed-requests.ts";

const REQUEST_MS = 120_000;
const LINGER_MS = 300;

/** Handler until the API or a standby takes over. */
export const starting = refusing("NOT_READY", "still starting");
/** Handler of a stopping listener; the request has had no effect. */
const stopping = refusing("NO_LEADER", "this pool manager stops");

function refusing(code: "NOT_READY" | "NO_LEADER", why: string): RequestListener {
  const { message, fix, status } = new ManagerError(code, why);
  const body = JSON.stringify({ error: { code, message, fix } });
  const headers = { "content-type": "application/json", "retry-after": "1", connection: "close" };
  return (_req, res) => res.writeHead(status, headers).end(body);
}

/** The listener of the manage API, whose handler is exchanged when this pool manager begins to lead. */
export class ApiListener {
  readonly #server: Server;
  readonly port: number;
  #handler: RequestListener;
  /** Responses in progress of the current handler. */
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

  /** Exchanges the handler. Responses in progress, streams in particular, get `LINGER_MS` and are then destroyed: they would continue with the former handler's data. */
  handOver(handler: RequestListener): void {
    this.#handler = handler;
    const former = this.#answers;
    this.#answers = new Set();
    setTimeout(() => {
      for (const answer of former) answer.destroy();
    }, LINGER_MS);
  }

  /** Refuses further requests; responses in progress continue until `close`. */
  stop(): void {
    this.#handler = stopping;
  }

  /** Ends every connection; those in use get `LINGER_MS` to finish. */
  async close(): Promise<void> {
    this.stop();
    if (await this.#isInUse()) await sleep(LINGER_MS);
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #isInUse(): Promise<boolean> {
    return new Promise((resolve) => this.#server.getConnections((_error, count) => resolve(count > 0)));
  }
}
