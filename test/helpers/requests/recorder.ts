import { createServer, type Server, type Socket } from "node:net";
import { ChunkedBody } from "../../../router/upstream/chunked-body.ts";

export interface Recorded {
  method: string;
  path: string;
  /** Names in lower case, and values, in their order. */
  headers: [string, string][];
  body: string;
}

const HEAD = /^([A-Z-]+) (\S+) HTTP\/1\.1\r\n((?:[!#$%&'*+.^_`|~\w-]+: [^\r\n]*\r\n)*)\r\n/;

/** An instance that takes what comes apart to the letter, answers each request with its path, and remembers all. */
export class Recorder {
  readonly requests: Recorded[] = [];
  readonly #byPath = new Map<string, Recorded[]>();
  /** Received bytes that are no request. */
  readonly violations: string[] = [];
  readonly server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.server = createServer((socket) => {
      this.#sockets.add(socket);
      let pending = Buffer.alloc(0);
      socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
      socket.on("data", (bytes) => {
        pending = Buffer.concat([pending, bytes]);
        for (let used = this.#take(pending, socket); used > 0; used = this.#take(pending, socket)) pending = pending.subarray(used);
      });
    });
  }

  of(path: string): Recorded[] {
    return this.#byPath.get(path) ?? [];
  }

  close(): void {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** How many bytes the first request takes; 0: it is not whole. */
  #take(bytes: Buffer, socket: Socket): number {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) return 0;
    const head = HEAD.exec(bytes.toString("latin1", 0, end + 4));
    if (!head) return this.#violated(bytes.toString("latin1", 0, 200), socket);
    const [all, method = "", path = "", lines = ""] = head;
    const headers = lines
      .split("\r\n")
      .slice(0, -1)
      .map((line): [string, string] => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)]);
    const framing = headers.filter(([name]) => name === "content-length" || name === "transfer-encoding");
    if (framing.length > 1) return this.#violated(`two framings: ${JSON.stringify(framing)}`, socket);
    const rest = bytes.subarray(all.length);
    const body = bodyOf(rest, framing[0]);
    if (body === null) return 0;
    const request = { method, path, headers, body: body.text };
    this.requests.push(request);
    this.#byPath.set(path, [...this.of(path), request]);
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${path.length}\r\n\r\n${method === "HEAD" ? "" : path}`);
    return all.length + body.size;
  }

  #violated(what: string, socket: Socket): 0 {
    this.violations.push(what);
    socket.destroy();
    return 0;
  }
}

function bodyOf(bytes: Buffer, framing: [string, string] | undefined): { text: string; size: number } | null {
  if (!framing) return { text: "", size: 0 };
  if (framing[0] === "content-length") {
    const size = Number(framing[1]);
    return bytes.length < size ? null : { text: bytes.toString("latin1", 0, size), size };
  }
  const chunks = new ChunkedBody();
  const pieces: Buffer[] = [];
  const size = chunks.read(bytes, (piece) => pieces.push(piece));
  return chunks.done ? { text: Buffer.concat(pieces).toString("latin1"), size } : null;
}
