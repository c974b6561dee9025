import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { RouterConfig } from "./config.ts";
import { connectionLimit } from "./connection-limit.ts";
import { ClientConnection } from "./downstream/connection.ts";
import type { Exchange } from "./downstream/exchange.ts";
import { MAX_HEAD_BYTES } from "./downstream/limits.ts";
import { NodeServer } from "./downstream/node-server.ts";
import type { WholeRequest } from "./downstream/request-head.ts";
import type { ManageProxy } from "./openfaas-api/manage-proxy.ts";
import { type Besides, handleRequest } from "./proxy/handler.ts";
import type { RouterReadiness } from "./routing/readiness.ts";
import type { ServedRevisions } from "./routing/served-revisions.ts";

/** The invocation listener. */
export class RouterServer implements Besides {
  readonly http: Server;
  readonly #config: RouterConfig;
  readonly #functions: ServedRevisions;
  readonly #standing: RouterReadiness;
  /** Null: this router does not pass OpenFaaS's API on. */
  readonly manage: ManageProxy | null;
  readonly #connections = new Set<ClientConnection>();
  readonly #handOver: ((socket: Socket) => void)[];
  #leaving = false;

  /** `refused` is called for each connection that is closed at once, since there are `maxConnections` already. */
  constructor(config: RouterConfig, functions: ServedRevisions, standing: RouterReadiness, manage: ManageProxy | null, refused: () => void) {
    this.#config = config;
    this.#functions = functions;
    this.#standing = standing;
    this.manage = manage;
    const isLeaving = () => this.#leaving;
    const handBack = (request: WholeRequest, socket: Socket, rest: Buffer) => this.#connect(socket).begin(request, rest);
    this.http = new NodeServer({ keepAliveMs: config.keepAliveMs, isLeaving, serve: this.#serve, handBack }).http;
    this.#handOver = this.http.listeners("connection") as ((socket: Socket) => void)[];
    // ClientConnection reads each connection first. It hands one with a request that is not plain over to node:http's own listener.
    this.http.removeAllListeners("connection");
    this.http.on("connection", (socket) => this.#connect(socket));
    const limit = connectionLimit();
    if (limit !== undefined) this.http.maxConnections = limit;
    this.http.on("drop", refused);
  }

  /** Why this router must not receive invocations; null: it is ready. */
  get unready(): string | null {
    if (this.#leaving) return "about to stop";
    if (!this.#functions.table.ready) return "no table yet";
    return this.#standing.isStranded ? "no pool manager is heard and no instance is reached" : null;
  }

  /** Reports not ready from now on, and closes each connection with its next response. */
  leave(): void {
    this.#leaving = true;
  }

  /** Accepts no further connection, and ends those that are between two requests; resolves when the last one has ended. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.http.close(() => resolve()));
    for (const connection of this.#connections) if (connection.isIdle) connection.destroy();
    return closed;
  }

  /** Destroys the remaining connections. */
  destroy(): void {
    this.http.closeAllConnections();
    for (const connection of this.#connections) connection.destroy();
  }

  readonly #serve = (exchange: Exchange): void => handleRequest(exchange, this.#functions, this.#config, this);

  #connect(socket: Socket): ClientConnection {
    const connection = new ClientConnection(socket, {
      maxHead: MAX_HEAD_BYTES,
      maxBody: this.#config.maxBodyBytes,
      keepAliveMs: this.#config.keepAliveMs,
      isLeaving: () => this.#leaving,
      serve: this.#serve,
      handOver: () => {
        for (const listener of this.#handOver) listener.call(this.http, socket);
      },
      gone: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    return connection;
  }
}
