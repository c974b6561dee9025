import type { Socket } from "node:net";
import type { Exchange, InFlight, RequestBody } from "../../router/downstream/exchange.ts";
import { CALL_ID_HEADER, ERROR_HEADER } from "../../runtime-images/protocol/headers.ts";

/** A body that is streamed: once a part of it has been sent, it cannot be sent again. */
export class SimBody {
  readonly length = null;
  started = false;

  get replayable(): boolean {
    return !this.started;
  }
}

/** The client's side of a simulated invocation. */
export class SimExchange implements Exchange {
  readonly method = "POST";
  readonly host = "simulated";
  readonly remoteAddress = "client";
  readonly upgrade = false;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly id: string;
  readonly name: string;
  readonly arrivedAt: number;
  readonly body: SimBody | null;
  /** Its outcome: "ok", "client gone", "cut", or the code of its error; null: none yet. */
  outcome: string | null = null;
  /** How often it was sent to an instance, and how often user code began to run for it. */
  attempts = 0;
  runs = 0;
  readonly #ended: (exchange: SimExchange) => void;
  #status = "";
  #listeners: (() => void)[] = [];

  constructor(id: number, name: string, arrivedAt: number, replayable: boolean, ended: (exchange: SimExchange) => void) {
    this.id = `call-${id}`;
    this.name = name;
    this.url = `/function/${name}`;
    this.rawHeaders = [CALL_ID_HEADER, this.id];
    this.arrivedAt = arrivedAt;
    this.body = replayable ? null : new SimBody();
    this.#ended = ended;
  }

  header(name: string): string | undefined {
    return name === CALL_ID_HEADER ? this.id : undefined;
  }

  takeBody(_maxBytes: number, begin: (body: RequestBody) => InFlight): void {
    begin(this.body as unknown as RequestBody);
  }

  onClose(listener: () => void): void {
    this.#listeners.push(listener);
  }

  clientGone(): void {
    this.#end("client gone");
  }

  inform(): void {}

  writeHead(status: number, _text: string, headers: readonly string[]): void {
    this.#status = statusOf(status, headers);
  }

  write(): boolean {
    return true;
  }

  end(): void {
    this.#end(this.#status);
  }

  answer(status: number, headers: readonly string[]): void {
    this.#end(statusOf(status, headers));
  }

  join(_text: string, _headers: readonly string[], _upstream: Socket): void {
    throw new Error("no upgrade is simulated");
  }

  destroy(): void {
    this.#end("cut");
  }

  #end(outcome: string): void {
    if (this.outcome !== null) return;
    this.outcome = outcome;
    this.#ended(this);
    for (const listener of this.#listeners.splice(0)) listener();
  }
}

function statusOf(status: number, headers: readonly string[]): string {
  const at = headers.indexOf(ERROR_HEADER);
  return at >= 0 ? (headers[at + 1] as string) : status === 200 ? "ok" : String(status);
}
