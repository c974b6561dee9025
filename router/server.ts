import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import { ClientConnection, IDLE_MS } from "./client/connection.ts";
import type { Exchange } from "./client/exchange.ts";
import { NodeExchange } from "./client/node-exchange.ts";
import type { RouterConfig } from "./config.ts";
import type { Functions } from "./functions.ts";
import { refuseAmbiguous } from "./request.ts";
import { route } from "./route.ts";
import { sendError } from "./send-error.ts";
import type { Standing } from "./standing.ts";

/** A head that is not complete by then ends its connection; looked at as often. Milliseconds. */
const HEAD_MS = 20_000;
const LOOK_MS = 2000;
/** Request line and headers; more is answered with 431. */
const MAX_HEAD_BYTES = 16 * 1024;
/** A client that has been silent for so long is asked by the kernel whether it is there: an event stream to one that is gone would hold its slot. Milliseconds. */
const KEEPALIVE_MS = 15_000;

/** The invocation listener. */
export class RouterServer {
  readonly http: Server;
  readonly #config: RouterConfig;
  readonly #functions: Functions;
  readonly #standing: Standing;
  readonly #connections = new Set<ClientConnection>();
  #leaving = false;

  constructor(config: RouterConfig, functions: Functions, standing: Standing) {
    this.#config = config;
    this.#functions = functions;
    this.#standing = standing;
    this.http = createServer({
      keepAliveTimeout: IDLE_MS,
      headersTimeout: HEAD_MS,
      requestTimeout: 0,
      connectionsCheckingInterval: LOOK_MS,
      maxHeaderSize: MAX_HEAD_BYTES,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_MS,
    });
    this.http.on("request", (req, res) => {
      // Clients with connections of their own go elsewhere with their next request.
      if (this.#leaving) res.shouldKeepAlive = false;
      const exchange = new NodeExchange(req, res);
      const refused = refuseAmbiguous(req);
      if (!refused) return this.#serve(exchange);
      res.shouldKeepAlive = false;
      // In this very turn the parser may find the rest of it wrong too, and then answers itself.
      setImmediate(() => res.headersSent || res.destroyed || sendError(exchange, refused));
    });
    this.#takeConnections();
  }

  /** Why nobody shall send invocations here; null: it is ready. */
  get unready(): string | null {
    if (this.#leaving) return "about to stop";
    if (!this.#functions.table.ready) return "no table yet";
    return this.#standing.isStranded ? "no pool manager is heard and no instance is reached" : null;
  }

  /** Says so to whoever asks, and closes each connection with its next response. */
  leave(): void {
    this.#leaving = true;
  }

  /** Takes no further connection; resolves when the last one has ended. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.http.close(() => resolve()));
    this.http.closeIdleConnections();
    for (const connection of this.#connections) if (connection.isIdle) connection.destroy();
    return closed;
  }

  /** Ends what is left. */
  destroy(): void {
    this.http.closeAllConnections();
    for (const connection of this.#connections) connection.destroy();
  }

  readonly #serve = (exchange: Exchange): void => route(exchange, this.#functions, this.#config, this.unready);

  /** Connections are ours first; node:http's own listener gets those with a request that is not plain. */
  #takeConnections(): void {
    const handOver = this.http.listeners("connection") as ((socket: Socket) => void)[];
    this.http.removeAllListeners("connection");
    const options = {
      maxHead: MAX_HEAD_BYTES,
      maxBody: this.#config.maxBodyBytes,
      isLeaving: () => this.#leaving,
      serve: this.#serve,
      handOver: (socket: Socket) => {
        for (const listener of handOver) listener.call(this.http, socket);
      },
      gone: (connection: ClientConnection) => this.#connections.delete(connection),
    };
    this.http.on("connection", (socket) => this.#connections.add(new ClientConnection(socket, options)));
  }
}
