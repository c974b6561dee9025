import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { type Answer, type Call, errorOf, type Transport, unreachable } from "../../../pool-manager/kubernetes/transport.ts";
import { timestamp } from "../objects/object.ts";
import type { Api, ApiAnswer, ApiRequest } from "./api.ts";
import { type Effect, type Faults, isAt, type Where } from "./faults.ts";
import type { Watch } from "./watches.ts";

export interface Wire {
  api: Api;
  faults: Faults;
  /** Latency of one direction between client and API server in milliseconds. */
  latency(): number;
  /** How far the API server's clock is ahead of all others, in milliseconds. */
  aheadMs?(): number;
}

interface Stream {
  call: Pick<ApiRequest, "client" | "method" | "path" | "query">;
  watch: Watch | null;
  /** The connection is open, and nothing comes any more. */
  hushed: boolean;
  /** When the last event arrives, in milliseconds: no later event overtakes it. */
  lastAt: number;
  end(error: KubeError | null): void;
}

/** A client's way to an API in memory: with latency, timeouts and faults. */
export class MemoryTransport implements Transport {
  readonly #wire: Wire;
  readonly #client: string;
  readonly #streams = new Set<Stream>();
  readonly #pending = new Set<(error: KubeError) => void>();
  #closed = false;

  constructor(wire: Wire, client: string) {
    this.#wire = wire;
    this.#client = client;
  }

  send(call: Call): Promise<Answer> {
    const request = this.#request(call);
    return new Promise((resolve, reject) => {
      let over = false;
      const fail = (error: KubeError) => settle(() => reject(error));
      const settle = (result: () => void) => {
        if (over) return;
        over = true;
        clearTimeout(timer);
        this.#pending.delete(fail);
        result();
      };
      this.#pending.add(fail);
      const timer = setTimeout(() => fail(unreachable(new Error(`no answer within ${call.timeoutMs} ms`))), call.timeoutMs);
      if (this.#closed) return fail(unreachable(new Error("the connections are closed")));
      this.#travel(request, {
        isOver: () => over,
        arrived: (effects) => {
          const answer = answerOf(effects, () => this.#wire.api.handle(withStale(request, effects)));
          const lateMs = effects.reduce((sum, effect) => sum + (effect.kind === "late" ? effect.ms : 0), this.#wire.latency());
          if (!effects.some(({ kind }) => kind === "lose")) setTimeout(() => settle(() => resolve(this.#dated(toAnswer(answer)))), lateMs);
        },
        refused: (error) => fail(error),
      });
    });
  }

  stream(call: Call, onLine: (line: string) => void, onEnd: (error: KubeError | null) => void): () => void {
    const request = this.#request({ ...call, query: { ...call.query, watch: "true" } });
    let opened = false;
    let over = false;
    const stream: Stream = {
      call: request,
      watch: null,
      hushed: false,
      lastAt: 0,
      end: (error) => {
        if (over) return;
        over = true;
        clearTimeout(timer);
        this.#streams.delete(stream);
        stream.watch?.end();
        onEnd(error);
      },
    };
    this.#streams.add(stream);
    const timer = setTimeout(() => opened || stream.end(unreachable(new Error(`no answer within ${call.timeoutMs} ms`))), call.timeoutMs);
    this.#travel(request, {
      isOver: () => over,
      arrived: (effects) => {
        const [refusal] = effects.flatMap((effect) => (effect.kind === "refuse" ? [effect.error] : []));
        if (refusal)
          return this.#later(stream, () => stream.end(errorOf(toAnswer({ status: refusal.code, body: refusal.status(), retryAfter: refusal.retryAfter }))));
        const line = (type: string, object: object) => {
          const text = this.#shifted(JSON.stringify({ type, object }));
          this.#later(stream, () => over || onLine(text));
        };
        const refused = (answer: ApiAnswer) => this.#later(stream, () => stream.end(errorOf(toAnswer(answer))));
        this.#later(stream, () => {
          opened = true;
        });
        stream.watch = this.#wire.api.watch(request, { event: line, ended: () => this.#later(stream, () => stream.end(null)) }, refused);
      },
      refused: (error) => stream.end(error),
    });
    return () => stream.end(null);
  }

  /** Breaks the connections of open watches. */
  cut(where: Where): void {
    for (const stream of [...this.#streams]) if (isAt(where, stream.call)) stream.end(unreachable(new Error("read ECONNRESET")));
  }

  /** Open watches stay open, and nothing comes through any more. */
  hush(where: Where): void {
    for (const stream of this.#streams) if (isAt(where, stream.call)) stream.hushed = true;
  }

  close(): void {
    this.#closed = true;
    for (const stream of [...this.#streams]) stream.end(null);
    for (const fail of [...this.#pending]) fail(unreachable(new Error("the connections are closed")));
  }

  #request({ method, path, query = {}, body, contentType = "" }: Call): ApiRequest {
    const request = { method, path, query, body: body === undefined ? undefined : JSON.parse(JSON.stringify(body)), contentType, client: this.#client };
    this.#wire.faults.onRequest(request);
    return request;
  }

  /** The way to the API server, as far as faults let it go. */
  #travel(request: ApiRequest, { isOver, arrived, refused }: { isOver(): boolean; arrived(effects: Effect[]): void; refused(error: KubeError): void }): void {
    const effects = this.#wire.faults.take(request);
    if (effects.some(({ kind }) => kind === "hang")) return;
    const isRefused = effects.some(({ kind }) => kind === "unreachable");
    const delay = effects.reduce((sum, effect) => sum + (effect.kind === "slow" ? effect.ms : 0), this.#wire.latency());
    setTimeout(() => {
      if (isOver()) return;
      if (isRefused) refused(unreachable(new Error("connect ECONNREFUSED")));
      else arrived(effects);
    }, delay);
  }

  #dated(answer: Answer): Answer {
    const date = new Date(Date.now() + (this.#wire.aheadMs?.() ?? 0)).toUTCString();
    return { ...answer, body: Buffer.from(this.#shifted(answer.body.toString("utf8"))), date };
  }

  /** Times as the API server's clock has them. */
  #shifted(text: string): string {
    const aheadMs = this.#wire.aheadMs?.() ?? 0;
    return aheadMs === 0 ? text : text.replace(/"\d{4}-\d\d-\d\dT[\d:]{8}Z"/g, (stamp) => JSON.stringify(timestamp(Date.parse(JSON.parse(stamp)) + aheadMs)));
  }

  #later(stream: Stream, effect: () => void): void {
    const now = performance.now();
    stream.lastAt = Math.max(stream.lastAt, now + this.#wire.latency());
    setTimeout(() => stream.hushed || effect(), stream.lastAt - now);
  }
}

function withStale(request: ApiRequest, effects: readonly Effect[]): ApiRequest {
  const stale = effects.find((effect) => effect.kind === "stale");
  return stale?.kind === "stale" ? { ...request, staleVersion: stale.version } : request;
}

function answerOf(effects: readonly Effect[], handle: () => ApiAnswer): ApiAnswer {
  const refusal = effects.find((effect) => effect.kind === "refuse");
  if (refusal?.kind !== "refuse") return handle();
  const { error } = refusal;
  return { status: error.code, body: error.status(), retryAfter: error.retryAfter };
}

function toAnswer({ status, body, retryAfter }: ApiAnswer): Answer {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { status, body: Buffer.from(text), ...(retryAfter !== null && { retryAfter: String(retryAfter) }) };
}
