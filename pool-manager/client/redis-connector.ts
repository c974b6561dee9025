import { createConnection, type Socket } from "node:net";
import { type ConnectionOptions, connect } from "node:tls";
import { AbstractConnector, type RedisOptions } from "ioredis";
import { ServiceLookup } from "./service-lookup.ts";

const services = new ServiceLookup();

/** Connects to Redis with `ServiceLookup`; ioredis' own connector accepts no `lookup`. */
export class RedisConnector extends AbstractConnector {
  readonly #options: RedisOptions;

  constructor(options: unknown) {
    const own = options as RedisOptions;
    super(own.disconnectTimeout ?? 0);
    this.#options = own;
  }

  async connect(): Promise<Socket> {
    this.connecting = true;
    // As in ioredis' own connector: a disconnect in the same turn must prevent the connection.
    await new Promise(process.nextTick);
    if (!this.connecting) throw new Error("Connection is closed.");
    const { path, host, port, tls } = this.#options;
    const { lookup } = services;
    const target = path ? { path } : { host: host ?? "127.0.0.1", port: port ?? 6379, lookup };
    const socket = tls ? connect({ ...target, ...(host && { servername: host }), ...tls } as ConnectionOptions) : createConnection(target);
    socket.once("error", (error) => {
      this.firstError = error;
    });
    this.stream = socket;
    return socket;
  }
}
