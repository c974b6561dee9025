import { Wire, type WireHandler, type WireRequest } from "./wire.ts";

/** The connections to one endpoint: as many as there are invocations at once, kept for those to come. */
export class Wires {
  readonly #host: string;
  readonly #port: number;
  readonly #all = new Set<Wire>();
  /** The latest one is taken first: its buffers are warm, and the others show how many are too many. */
  readonly #idle: Wire[] = [];
  #closing = false;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  send(request: WireRequest, handler: WireHandler): void {
    const wire = this.#idle.pop() ?? this.#open();
    wire.send(request, handler);
  }

  /** What is under way finishes; each connection ends when it has. */
  close(): void {
    this.#closing = true;
    for (const wire of this.#idle.splice(0)) wire.destroy();
  }

  /** Everything ends now. */
  destroy(): void {
    this.close();
    for (const wire of this.#all) wire.destroy();
  }

  #open(): Wire {
    const wire = new Wire(
      this.#host,
      this.#port,
      (free) => {
        if (this.#closing) free.destroy();
        else this.#idle.push(free);
      },
      (gone) => {
        this.#all.delete(gone);
        const at = this.#idle.indexOf(gone);
        if (at >= 0) this.#idle.splice(at, 1);
      },
    );
    this.#all.add(wire);
    return wire;
  }
}
