import type { KeyObject } from "node:crypto";
import { Agent, type AgentOptions, type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { connect as tlsConnect } from "node:tls";
import type { ControlLine, LoadAnswer, LoadOrder } from "../../runtime-images/protocol/messages.ts";
import { SIGNATURE_HEADER, signRequest } from "../../runtime-images/protocol/signature.ts";
import { PlatformError } from "./platform.ts";

/** An instance that has not answered a control request by then is unreachable. Milliseconds. */
const TIMEOUT_MS = 5000;
const CONNECT_MS = 2000;

/** Where an instance's control API is: a Unix socket, or a TLS port whose certificate is pinned. */
export type ControlAddress = { socketPath: string } | { host: string; port: number; fingerprint: string; uid: string; key: KeyObject };

/** The manager's side of an instance's control API. */
export class ControlClient {
  readonly #address: ControlAddress;
  readonly #agent: Agent;
  #events: IncomingMessage | null = null;
  #closed = false;

  constructor(address: ControlAddress) {
    this.#address = address;
    this.#agent = "host" in address ? pinnedAgent(address.fingerprint) : new Agent({ keepAlive: true, maxSockets: 2 });
  }

  async load(order: LoadOrder, code: Uint8Array): Promise<LoadAnswer> {
    const head = JSON.stringify(order);
    return (await this.#call("POST", "/v1/load", head, code)) as LoadAnswer;
  }

  async drain(deadlineMs: number): Promise<void> {
    await this.#call("POST", `/v1/drain?deadlineMs=${deadlineMs}`);
  }

  /** Follows the instance's events, from its echo now on; `onEnd` is told once when they have ended, with the reason where there is one. */
  follow(onLine: (line: ControlLine) => void, onEnd: (error: Error | null) => void = () => {}): void {
    let ended = false;
    const end = (error: Error | null) => {
      if (ended) return;
      ended = true;
      onEnd(error);
    };
    const url = "/v1/events";
    const headers = this.#signature("GET", url, "");
    const req = request({ ...this.#target(), agent: this.#agent, path: url, headers, timeout: CONNECT_MS }, (res) => {
      req.setTimeout(0);
      if (res.statusCode !== 200) return req.destroy(new Error(`the instance answers ${res.statusCode}`));
      this.#events = res;
      if (this.#closed) res.destroy();
      const lines = createInterface({ input: res });
      lines.on("line", (line) => onLine(JSON.parse(line) as ControlLine));
      // A stream that breaks off has ended: the interface and its input both report that as an error.
      for (const stream of [lines, res]) stream.on("error", () => {});
      res.on("close", () => end(null));
    });
    req.on("timeout", () => req.destroy(new Error(`no connection within ${CONNECT_MS} ms`)));
    req.on("error", end);
    req.on("close", () => end(null));
    req.end();
  }

  /** Opens the connection that the load order will take, and has both sides use it once: for an order to nobody. */
  async warm(): Promise<void> {
    await this.#call("POST", "/v1/load", JSON.stringify({ uid: "nobody" }));
  }

  close(): void {
    this.#closed = true;
    this.#events?.destroy();
    this.#agent.destroy();
  }

  #target(): { socketPath: string } | { host: string; port: number } {
    return "host" in this.#address ? { host: this.#address.host, port: this.#address.port } : { socketPath: this.#address.socketPath };
  }

  #signature(method: string, url: string, order: string): Record<string, string> {
    if (!("key" in this.#address)) return {};
    const { uid, key } = this.#address;
    return { [SIGNATURE_HEADER]: signRequest({ uid, method, url, order }, key) };
  }

  #call(method: string, path: string, order = "", code?: Uint8Array): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => reject(new PlatformError("UNREACHABLE", `the instance does not answer: ${error.message}`));
      const head = order ? Buffer.from(`${order}\n`) : Buffer.alloc(0);
      const headers = { "content-length": head.length + (code?.length ?? 0), ...this.#signature(method, path, order) };
      const options = { ...this.#target(), agent: this.#agent, method, path, headers, timeout: TIMEOUT_MS };
      const req = request(options, (res) => {
        const chunks: Buffer[] = [];
        res.on("data", (chunk: Buffer) => chunks.push(chunk));
        res.on("error", failed);
        res.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          if (res.statusCode === 400 || res.statusCode === 401) return failed(new Error(text));
          resolve(JSON.parse(text));
        });
      });
      req.on("timeout", () => req.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
      req.on("error", failed);
      if (code && code.length > 0) req.write(head);
      req.end(code && code.length > 0 ? code : head);
    });
  }
}

/** Connections on which nothing is sent before the peer has shown the certificate that is expected of it. */
function pinnedAgent(fingerprint: string): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  type Connect = (options: AgentOptions & { host: string; port: number }, done: (error: Error | null, socket?: unknown) => void) => void;
  const connect: Connect = ({ host, port }, done) => {
    const socket = tlsConnect({ host, port, rejectUnauthorized: false, minVersion: "TLSv1.3", timeout: CONNECT_MS });
    const failed = (error: Error) => {
      socket.destroy();
      done(error);
    };
    socket.once("error", failed);
    socket.once("timeout", () => failed(new Error(`no TLS connection within ${CONNECT_MS} ms`)));
    socket.once("secureConnect", () => {
      if (socket.getPeerX509Certificate()?.fingerprint256 !== fingerprint) return failed(new FingerprintError());
      socket.setTimeout(0).setNoDelay(true).off("error", failed);
      done(null, socket);
    });
  };
  (agent as unknown as { createConnection: Connect }).createConnection = connect;
  return agent;
}

/** Another certificate than the pinned one: the runtime was restarted, or somebody else answers at its address. */
export class FingerprintError extends Error {
  constructor() {
    super("the instance shows another certificate than the one that it was pinned to");
  }
}
