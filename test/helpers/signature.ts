import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { type Handle, invokerOf } from "../../runtime-images/node/invocation/invoker.ts";
import { guardResponses, InvocationResponse } from "../../runtime-images/node/invocation/response.ts";
import { BERTH_PREFIX } from "../../runtime-images/protocol/headers.ts";

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  /** Milliseconds until the head, and until the end. */
  headMs: number;
  endMs: number;
}

/** A handler behind a server as a worker has it. */
export class Served {
  readonly #server;
  /** Invocations that have settled. */
  settled = 0;

  private constructor(handle: Handle) {
    const invoke = invokerOf(handle);
    this.#server = createServer({ ServerResponse: InvocationResponse }, (req, res) => {
      void invoke(req, { id: "call-1", res, background: null, crashed: () => {} }).then(() => {
        this.settled += 1;
      });
    });
  }

  static async start(handle: Handle): Promise<Served> {
    guardResponses();
    const served = new Served(handle);
    served.#server.listen(0, "127.0.0.1");
    await once(served.#server, "listening");
    return served;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** `path` is sent as it is. */
  async ask(
    path: string,
    { method = "GET", headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: Uint8Array | string } = {},
  ): Promise<Answer> {
    const from = performance.now();
    const req = request({ port: this.port, host: "127.0.0.1", path, method, headers });
    req.end(body);
    const [res] = await once(req, "response");
    const headMs = performance.now() - from;
    const chunks: Buffer[] = [];
    for await (const chunk of res) chunks.push(chunk);
    return { status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks), headMs, endMs: performance.now() - from };
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** Berth's own headers of an answer. */
export function platformHeaders({ headers }: Answer): string[] {
  return Object.keys(headers).filter((name) => name.startsWith(BERTH_PREFIX));
}
