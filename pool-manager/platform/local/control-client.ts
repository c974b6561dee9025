import { Agent, type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import type { Echo, LoadAnswer, LoadOrder } from "../../../runtime-images/protocol/messages.ts";
import { PlatformError } from "../platform.ts";

/** An instance that has not answered a control request by then is unreachable. Milliseconds. */
const TIMEOUT_MS = 5000;

/** The manager's side of an instance's control socket. */
export class ControlClient {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 2 });
  #events: IncomingMessage | null = null;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async load(order: LoadOrder, code: Uint8Array): Promise<LoadAnswer> {
    const head = Buffer.from(`${JSON.stringify(order)}\n`);
    return (await this.#call("POST", "/v1/load", Buffer.concat([head, code]))) as LoadAnswer;
  }

  async drain(deadlineMs: number): Promise<void> {
    await this.#call("POST", `/v1/drain?deadlineMs=${deadlineMs}`);
  }

  /** Follows the echo, now and after each change, until the instance ends. */
  follow(onEcho: (echo: Echo) => void): void {
    const req = request({ socketPath: this.#socketPath, path: "/v1/events" }, (res) => {
      this.#events = res;
      const lines = createInterface({ input: res });
      lines.on("line", (line) => onEcho(JSON.parse(line) as Echo));
      // A stream that breaks off has ended: the interface and its input both report that as an error.
      for (const stream of [lines, res]) stream.on("error", () => {});
    });
    req.on("error", () => {});
    req.end();
  }

  /** Opens the connection that the load order will take, and has both sides use it once: for an order to nobody. */
  async warm(): Promise<void> {
    await this.#call("POST", "/v1/load", Buffer.from(`${JSON.stringify({ uid: "nobody" })}\n`));
  }

  close(): void {
    this.#events?.destroy();
    this.#agent.destroy();
  }

  #call(method: string, path: string, body?: Uint8Array): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => reject(new PlatformError("UNREACHABLE", `the instance does not answer: ${error.message}`));
      const headers = { "content-length": body?.length ?? 0 };
      const options = { socketPath: this.#socketPath, agent: this.#agent, method, path, headers, timeout: TIMEOUT_MS };
      const req = request(options, (res) => {
        const chunks: Buffer[] = [];
        res.on("data", (chunk: Buffer) => chunks.push(chunk));
        res.on("error", failed);
        res.on("end", () => {
          if (res.statusCode === 400) return failed(new Error(Buffer.concat(chunks).toString()));
          resolve(JSON.parse(Buffer.concat(chunks).toString("utf8")));
        });
      });
      req.on("timeout", () => req.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
      req.on("error", failed);
      req.end(body);
    });
  }
}
