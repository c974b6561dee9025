import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { portError } from "../errors.ts";

const HOST = "127.0.0.1";
/** The line that Node, and code of Berth for Python, print when a debugger may connect. */
const LISTENING = /^Debugger listening on \w+:\/\/127\.0\.0\.1:(\d+)/;
const HELP = /^For help, see: https:\/\/nodejs\.org\//;

/**
 * One port for the debuggers of a function's workers. Each revision has a worker of its own, which listens at a port of its
 * own; a debugger that connects here reaches the latest one.
 */
export class Inspector {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: number | null = null;

  private constructor() {
    this.#server = createServer((client) => this.#relay(client));
  }

  static async listen(port: number): Promise<Inspector> {
    const inspector = new Inspector();
    inspector.#server.listen(port, HOST);
    await once(inspector.#server, "listening").catch((error) => {
      throw portError(error, "--inspect", port);
    });
    return inspector;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Reads a line of output; true: it is about the debugger, and not the function's. */
  reads(line: string): boolean {
    const port = LISTENING.exec(line)?.[1];
    if (port !== undefined) this.#target = Number(port);
    return port !== undefined || HELP.test(line);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #relay(client: Socket): void {
    if (this.#target === null) return void client.destroy();
    const worker = connect(this.#target, HOST);
    client.pipe(worker).pipe(client);
    for (const [socket, other] of [
      [client, worker],
      [worker, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
