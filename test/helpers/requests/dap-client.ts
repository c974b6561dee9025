import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { until } from "../berth.ts";

interface Message {
  seq: number;
  type: "request" | "response" | "event";
  command?: string;
  event?: string;
  request_seq?: number;
  success?: boolean;
  message?: string;
  body?: Record<string, unknown>;
}

/** A client of the Debug Adapter Protocol, as editors are. */
export class DapClient {
  readonly #socket: Socket;
  readonly #received: Message[] = [];
  #rest = Buffer.alloc(0);
  #seq = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data) => this.#read(data)).on("error", () => {});
  }

  static async connect(port: number): Promise<DapClient> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new DapClient(socket);
  }

  /** Sends a request; resolves with the body of its response. */
  async ask(command: string, args: object = {}): Promise<Record<string, unknown>> {
    const seq = this.send(command, args);
    const response = await this.#found(({ type, request_seq }) => type === "response" && request_seq === seq, `an answer to ${command}`);
    if (!response.success) throw new Error(`${command} failed: ${response.message}`);
    return response.body ?? {};
  }

  send(command: string, args: object = {}): number {
    const seq = ++this.#seq;
    const text = JSON.stringify({ seq, type: "request", command, arguments: args });
    this.#socket.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    return seq;
  }

  /** The body of the first event of this name, once it has come. */
  async event(name: string): Promise<Record<string, unknown>> {
    return (await this.#found(({ type, event }) => type === "event" && event === name, `the event ${name}`)).body ?? {};
  }

  /** Attaches to the process, with breakpoints in a file; returns whether each could be set. */
  async attach(path: string, lines: readonly number[]): Promise<boolean[]> {
    await this.ask("initialize", { clientID: "test", adapterID: "debugpy", pathFormat: "path", linesStartAt1: true, columnsStartAt1: true });
    this.send("attach", { name: "berth", type: "debugpy", request: "attach" });
    await this.event("initialized");
    const { breakpoints } = await this.ask("setBreakpoints", { source: { path }, breakpoints: lines.map((line) => ({ line })) });
    await this.ask("configurationDone");
    return (breakpoints as { verified: boolean }[]).map(({ verified }) => verified);
  }

  /** The file and line at which a thread has stopped. */
  async place(threadId: number): Promise<{ path: string; line: number }> {
    const { stackFrames } = await this.ask("stackTrace", { threadId, startFrame: 0, levels: 1 });
    const [frame] = stackFrames as { source: { path: string }; line: number }[];
    return { path: frame?.source.path ?? "", line: frame?.line ?? 0 };
  }

  close(): void {
    this.#socket.destroy();
  }

  async #found(matches: (message: Message) => boolean, what: string): Promise<Message> {
    const find = () => this.#received.find(matches);
    await until(() => find() !== undefined || this.#socket.destroyed, what, 20_000).catch((error: Error) => {
      throw new Error(`${error.message}; received: ${JSON.stringify(this.#received)}`);
    });
    const message = find();
    if (!message) throw new Error(`the debugger closed the connection before ${what}`);
    return message;
  }

  #read(data: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, data]);
    for (;;) {
      const head = this.#rest.indexOf("\r\n\r\n");
      const length = Number(/Content-Length: (\d+)/i.exec(this.#rest.subarray(0, Math.max(head, 0)).toString())?.[1]);
      if (head < 0 || this.#rest.length < head + 4 + length) return;
      this.#received.push(JSON.parse(this.#rest.subarray(head + 4, head + 4 + length).toString()) as Message);
      this.#rest = this.#rest.subarray(head + 4 + length);
    }
  }
}
