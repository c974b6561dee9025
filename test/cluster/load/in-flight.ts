import { type ClientRequest, get, type IncomingMessage } from "node:http";
import { WebSocket } from "ws";

/** An invocation of a slow function, and a stream, take this long. */
const HOLD_MS = 15_000;
/** Another one of each begins at every router after this, and a WebSocket sends its next message. */
const EVERY_MS = 2500;
/** Longest silence of a connection that is taken for no failure. */
const PATIENCE_MS = 10_000;
const EVENTS = HOLD_MS / 250;

export const SLOW = `export default {
  async fetch(request) {
    await new Promise((resolve) => setTimeout(resolve, Number(new URL(request.url).searchParams.get("ms"))));
    return new Response("slept");
  },
};`;

export const STREAM = `export default {
  fetch() {
    let next = 0;
    const events = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 250));
        controller.enqueue(new TextEncoder().encode("data: " + next++ + "\\n\\n"));
        if (next === ${EVENTS}) controller.close();
      },
    });
    return new Response(events, { headers: { "content-type": "text/event-stream" } });
  },
};`;

const WHOLE_STREAM = Array.from({ length: EVENTS }, (_, n) => `data: ${n}\n\n`).join("");

/** The functions of the test, made of the sources above and of examples/websocket. */
export interface Subjects {
  slow: readonly string[];
  stream: string;
  socket: string;
}

/**
 * Slow invocations, streams and WebSockets through several routers, all the time. A client sends again only what was
 * never sent: where the connection was refused.
 */
export class InFlight {
  readonly #subjects: Subjects;
  readonly #failures: string[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #sockets = new Map<WebSocket, { heard: number; sent: number }>();
  readonly #socketEnds: number[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #routers: string[] = [];
  #begun = 0;
  #ended = 0;

  constructor(subjects: Subjects, routers: readonly string[]) {
    this.#subjects = subjects;
    for (const router of routers) this.join(router);
    this.#timers.push(
      setInterval(() => this.#long(), EVERY_MS),
      setInterval(() => this.#quick(), 200),
    );
    this.#long();
  }

  /** Clients use this router, too. */
  join(router: string): void {
    this.#routers.push(router);
    this.#open(router);
    this.#open(router);
  }

  /** Acts as a load balancer: a router that reports not ready gets no new requests. */
  leave(router: string): void {
    this.#routers = this.#routers.filter((one) => one !== router);
  }

  /** Invocations and streams that have begun, those that have ended, what failed, the WebSockets that are open, and when others ended. */
  get tally(): { begun: number; ended: number; failures: readonly string[]; sockets: number; socketEnds: readonly number[] } {
    return { begun: this.#begun, ended: this.#ended, failures: [...this.#failures], sockets: this.#sockets.size, socketEnds: [...this.#socketEnds] };
  }

  /** Lets everything that runs end, and closes the WebSockets. */
  async end(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#running);
    for (const [socket, { sent, heard }] of this.#sockets) {
      if (sent - heard > 1) this.#failures.push(`a WebSocket heard ${heard} of ${sent} messages`);
      socket.removeAllListeners("close");
      socket.close();
    }
  }

  #long(): void {
    const { slow, stream } = this.#subjects;
    for (const router of this.#routers) {
      for (const name of slow) this.#begin(router, `${name}?ms=${HOLD_MS}`, "slept");
      this.#begin(router, stream, WHOLE_STREAM);
    }
    for (const [socket, state] of this.#sockets) if (socket.readyState === WebSocket.OPEN) socket.send(String(state.sent++));
  }

  #quick(): void {
    for (const name of this.#subjects.slow) for (const router of this.#routers) this.#begin(router, `${name}?ms=0`, "slept");
  }

  #begin(router: string, path: string, expected: string): void {
    this.#begun += 1;
    const running = this.#invoke(router, path, expected)
      .catch((error: Error) => void this.#failures.push(`${new Date().toISOString()} ${path}: ${error.message}`))
      .then(() => {
        this.#ended += 1;
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  async #invoke(router: string, path: string, expected: string): Promise<void> {
    try {
      const { status, body } = await answerTo(`${router}/function/${path}`);
      if (status !== 200 || body !== expected) throw new Error(`${status} ${body.slice(-200)}`);
    } catch (error) {
      const other = this.#routers.find((one) => one !== router);
      if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED" || !other) throw error;
      await this.#invoke(other, path, expected);
    }
  }

  #open(router: string): void {
    const socket = new WebSocket(`${router.replace("http", "ws")}/function/${this.#subjects.socket}`);
    const state = { heard: 0, sent: 0 };
    let opened = false;
    socket.on("open", () => {
      opened = true;
      this.#sockets.set(socket, state);
    });
    socket.on("message", (data) => {
      if (String(data) !== String(state.heard)) this.#failures.push(`a WebSocket heard ${data} instead of ${state.heard}`);
      state.heard += 1;
    });
    socket.on("error", ({ message }) => {
      if (!opened) this.#failures.push(`${new Date().toISOString()} a WebSocket was not opened: ${message}`);
    });
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (opened) this.#socketEnds.push(performance.now());
      if (opened && this.#routers.includes(router)) this.#open(router);
    });
  }
}

/** On a connection of its own, so that nothing depends on one that was kept. */
function answerTo(url: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const read = (response: IncomingMessage) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      response.on("error", reject);
    };
    const request: ClientRequest = get(url, { agent: false, timeout: HOLD_MS + PATIENCE_MS }, read);
    request.on("timeout", () => request.destroy(new Error("no byte came for too long")));
    request.on("error", reject);
  });
}
