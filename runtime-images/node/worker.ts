import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Admission, type Admit } from "../protocol/admission.ts";
import { FUNCTION_HEADER, REVISION_HEADER } from "../protocol/headers.ts";
import { callIdOf, type Invoker } from "./invoker.ts";
import type { FromWorker, ToWorker } from "./ipc.ts";
import { loadFunction } from "./load.ts";
import { captureOutput } from "./output.ts";
import { REHEARSAL_CALL, rehearsalOrder, requestItself } from "./rehearsal.ts";
import { GuardedResponse } from "./response.ts";

type Exchange = { req: IncomingMessage; res: GuardedResponse; since: number; deadline: NodeJS.Timeout };

/** How long a request waits for a load order that never comes. */
const SPARE_PARK_MS = 15_000;

/** Serves one function: the request check runs here, before user code and before the body is read. */
class Worker {
  readonly #admission = new Admission();
  readonly #parked = new Set<Exchange>();
  readonly #server: Server<typeof IncomingMessage, typeof GuardedResponse>;
  #invoker: Invoker | null = null;
  #loadError = "";
  #draining = false;
  #connections = 0;
  #timeoutMs = 0;
  #rehearsal: Invoker | null = null;

  constructor() {
    // The router owns the connections and closes them first; nothing here may end one early.
    const never = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: 65_536 };
    this.#server = createServer({ ...never, ServerResponse: GuardedResponse }, (req, res) => this.#request(req, res));
    this.#server.on("connection", (socket) => {
      socket.setNoDelay(true);
      this.#connections += 1;
      socket.on("close", () => {
        this.#connections -= 1;
        this.#leaveWhenUnused();
      });
    });
  }

  listen(host: string): void {
    this.#server.listen(0, host, 1024, () => {
      const { port } = this.#server.address() as AddressInfo;
      if (process.env.BERTH_REHEARSAL) void this.#rehearse(host, port, process.env.BERTH_REHEARSAL);
      else this.#ready(port);
    });
  }

  async load(order: Extract<ToWorker, { type: "load" }>): Promise<void> {
    const { functionUid, revision, settings } = order;
    this.#admission.assign(functionUid, revision, settings.concurrency);
    this.#timeoutMs = settings.timeoutMs;
    try {
      Object.assign(process.env, order.env);
      this.#invoker = await loadFunction(order);
      this.#admission.loaded();
      tell({ type: "loaded" });
    } catch (error) {
      this.#loadError = describe(error);
      this.#admission.failed();
      tell({ type: "loadFailed", message: this.#loadError });
    }
    this.#unpark();
  }

  drain(): void {
    this.#draining = true;
    this.#admission.drain();
    this.#unpark();
    this.#leaveWhenUnused();
  }

  /**
   * First uses are slow in a new process: module loader, fetch's classes and HTTP path compile lazily,
   * tens of milliseconds together. A spare worker pays that in advance: it loads a function of ours the
   * way it will load the user's, and invokes it once. Until then only the worker itself knows its port.
   */
  async #rehearse(host: string, port: number, file: string): Promise<void> {
    this.#rehearsal = await loadFunction(rehearsalOrder(file));
    await requestItself(host, port);
    this.#rehearsal = null;
    this.#ready(port);
  }

  #ready(port: number): void {
    delete process.env.BERTH_REHEARSAL;
    tell({ type: "ready", port });
  }

  #request(req: IncomingMessage, res: GuardedResponse): void {
    if (this.#rehearsal) void this.#rehearsal(req, res, REHEARSAL_CALL);
    else this.#act(this.#check(req), req, res);
  }

  #check(req: IncomingMessage, parked = false): Admit {
    const { [FUNCTION_HEADER]: functionUid, [REVISION_HEADER]: revision } = req.headers;
    return this.#admission.admit(String(functionUid), String(revision), parked);
  }

  #act(admit: Admit, req: IncomingMessage, res: GuardedResponse): void {
    if ("run" in admit) this.#run(req, res);
    else if ("park" in admit) this.#park(req, res);
    else if ("refuse" in admit) res.refuse(admit.refuse);
    else res.platformError(502, "FUNCTION_LOAD_FAILED", this.#loadError);
  }

  #run(req: IncomingMessage, res: GuardedResponse): void {
    let closed = false;
    let settled = false;
    const finish = () => {
      if (!closed || !settled) return;
      this.#admission.finish();
      this.#leaveWhenUnused();
    };
    res.on("close", () => {
      closed = true;
      finish();
      // The client is gone and the handler goes on: past its timeout the instance has to be replaced.
      if (!settled) setTimeout(() => settled || crash("an invocation outlived its timeout"), this.#timeoutMs).unref();
    });
    void (this.#invoker as Invoker)(req, res, callIdOf(req)).then(() => {
      settled = true;
      finish();
    });
  }

  #park(req: IncomingMessage, res: GuardedResponse): void {
    const deadline = setTimeout(() => this.#giveUp(exchange), SPARE_PARK_MS);
    const exchange: Exchange = { req, res, since: performance.now(), deadline };
    this.#parked.add(exchange);
    res.on("close", () => {
      if (this.#take(exchange)) this.#admission.unpark();
    });
  }

  #giveUp(exchange: Exchange): void {
    if (this.#admission.assigned || !this.#take(exchange)) return;
    this.#admission.unpark();
    exchange.res.refuse("stale");
  }

  #take(exchange: Exchange): boolean {
    clearTimeout(exchange.deadline);
    return this.#parked.delete(exchange);
  }

  #unpark(): void {
    for (const exchange of [...this.#parked]) {
      this.#take(exchange);
      exchange.res.parkedFor(performance.now() - exchange.since);
      this.#act(this.#check(exchange.req, true), exchange.req, exchange.res);
    }
  }

  /** A draining worker leaves when its connections are gone; closing them is the router's part. */
  #leaveWhenUnused(): void {
    if (this.#draining && this.#connections === 0 && this.#admission.running === 0) process.exit(0);
  }
}

function tell(message: FromWorker): void {
  process.send?.(message);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function crash(reason: unknown): void {
  const message = describe(reason);
  process.stderr.write(`${message}\n`);
  const exit = () => process.exit(1);
  process.send?.({ type: "crashed", message } satisfies FromWorker, exit);
  setTimeout(exit, 100);
}

captureOutput();
process.on("uncaughtException", crash);
process.on("disconnect", () => process.exit(0));
const worker = new Worker();
process.on("message", (message: ToWorker) => {
  if (message.type === "drain") worker.drain();
  else void worker.load(message);
});
worker.listen(process.env.BERTH_HOST ?? "127.0.0.1");
