import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Admission, type Admit } from "../../protocol/admission.ts";
import { listenHost, ownHost } from "../../protocol/listen-host.ts";
import { Ending } from "../ending.ts";
import { admitRequest } from "../invocation/admit.ts";
import { type Call, currentCall, identityOf } from "../invocation/call.ts";
import { keepConnection } from "../invocation/call-events.ts";
import { logError, stackOf, summaryOf } from "../invocation/describe.ts";
import { flushOutput } from "../invocation/output.ts";
import { type Exchange, Parking } from "../invocation/parking.ts";
import { InvocationResponse, platformError, refuse } from "../invocation/response.ts";
import { runInvocation } from "../invocation/run.ts";
import { runUpgrade } from "../invocation/upgrade.ts";
import { REHEARSAL_CALL, requestItself } from "../rehearsal.ts";
import { timers } from "../timers.ts";
import type { Report } from "./channel.ts";
import type { Language, Loaded, LoadRequest } from "./language.ts";

/** How long a draining worker without connections still listens: a router that does not know of the drain yet may open one, and must get a refusal. */
const LEAVE_MS = 300;

/** Serves one function. Checks each request before user code runs and before the body is read. */
export class Worker {
  readonly #language: Language;
  readonly #report: Report;
  readonly #admission = new Admission();
  readonly #parking = new Parking(this.#admission);
  readonly #server: Server<typeof IncomingMessage, typeof InvocationResponse>;
  #function: Loaded | null = null;
  #loadError = "";
  #draining = false;
  /** An uncaught error has left the process in an unknown state: it ends when no invocation runs, even if connections are open. */
  #ailing = false;
  /** The supervisor knows that an invocation has succeeded. */
  #answered = false;
  #leaving: NodeJS.Timeout | undefined;
  readonly #ending: Ending;
  #connections = 0;
  #timeoutMs = 0;
  #key: string | null = null;
  #rehearsal: Loaded | null = null;

  constructor(language: Language, report: Report) {
    this.#language = language;
    this.#report = report;
    // The router closes connections; no timeout here may end one first.
    const never = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: 65_536 };
    this.#server = createServer({ ...never, ServerResponse: InvocationResponse }, (req, res) => this.#request(req, res));
    // Only the size is limited: node:http silently drops headers beyond a count, including the platform's.
    this.#server.maxHeadersCount = 0;
    this.#ending = new Ending(() => {
      this.#server.close();
      currentCall.exit(() => this.#server.closeAllConnections());
    });
    this.#server.on("upgrade", (req, socket, head) => this.#upgradeRequest(req, socket as Socket, head));
    this.#server.on("connection", (socket) => {
      socket.setNoDelay(true);
      keepConnection(socket);
      this.#connections += 1;
      timers.clearTimeout(this.#leaving);
      socket.on("close", () => {
        this.#connections -= 1;
        this.#leaveWhenUnused();
      });
    });
  }

  listen(host: string): void {
    this.#server.listen(0, listenHost(host), 1024, () => {
      const { port } = this.#server.address() as AddressInfo;
      if (process.env.BERTH_REHEARSAL) void this.#rehearse(ownHost(host), port, process.env.BERTH_REHEARSAL);
      else this.#ready(port);
    });
  }

  async load(order: LoadRequest): Promise<void> {
    const { functionUid, revision, settings } = order;
    this.#admission.assign(functionUid, revision, settings.concurrency);
    this.#timeoutMs = settings.timeoutMs;
    this.#key = order.key;
    try {
      const waitsFor = (message: string) => this.#report({ type: "loading", message });
      this.#function = await this.#language.load(order, { waitsFor, lost: (message) => this.#lost(message) });
      this.#admission.loaded();
      this.#report({ type: "loaded" });
    } catch (error) {
      this.#loadError = stackOf(error);
      this.#admission.failed();
      // Waiting requests are answered first: once the failure is known, the process may be killed.
      await this.#unpark();
      this.#report({ type: "loadFailed", message: this.#loadError });
      return;
    }
    void this.#unpark();
  }

  drain(): void {
    this.#draining = true;
    this.#admission.drain();
    void this.#unpark();
    this.#leaveWhenUnused();
  }

  /** Handles an uncaught error. Other invocations may still finish. `ERR_HTTP_HEADERS_SENT` ends nothing: its response has refused a second answer. */
  uncaught(error: unknown): void {
    logError(error);
    const call = currentCall.getStore();
    call?.crashed(summaryOf(error));
    if (call && (error as NodeJS.ErrnoException | null | undefined)?.code === "ERR_HTTP_HEADERS_SENT") return;
    this.#ail(summaryOf(error));
  }

  /** Tells the function that its process is about to end. */
  terminate(): void {
    this.#ending.tell();
  }

  /**
   * Accepts no further invocation, and ends the process when the running ones have ended, at the latest after their timeout.
   * Without any it still refuses, for a moment, those of routers that do not know yet: nothing has run of them.
   */
  #ail(message: string): void {
    if (this.#ailing) return;
    this.#ailing = true;
    if (this.#function === null) return void this.#report({ type: "crashed", message }, () => this.#ending.leave(1));
    this.#report({ type: "ailing", message, deadlineMs: this.#timeoutMs });
    timers.setTimeout(() => this.#ending.leave(1), this.#timeoutMs).unref();
    this.drain();
  }

  /** The program that answers invocations has ended; each running one is answered first. */
  #lost(message: string): void {
    if (!this.#ending.isTold && !this.#draining) return this.#ail(message);
    this.#ailing = true;
    this.drain();
  }

  /**
   * Warms up a spare worker: it loads a function of Berth the way it will load the user's, and invokes it once. In a new
   * process the module loader, fetch's classes and the HTTP path compile lazily, which takes tens of milliseconds
   * together. Until this is done only the worker itself knows its port.
   */
  async #rehearse(host: string, port: number, dir: string): Promise<void> {
    this.#rehearsal = await this.#language.rehearse(dir);
    await requestItself(host, port);
    this.#rehearsal = null;
    this.#ready(port);
  }

  #ready(port: number): void {
    delete process.env.BERTH_REHEARSAL;
    this.#report({ type: "ready", port });
  }

  #request(req: IncomingMessage, res: InvocationResponse): void {
    if (this.#rehearsal) void this.#rehearsal.invoke(req, { id: REHEARSAL_CALL, res, background: null, crashed: () => {} });
    else this.#act(this.#check(req), { req, res, run: () => this.#run(req, res) });
  }

  /** Handles a request for a WebSocket: routers send no other `Upgrade`. */
  #upgradeRequest(req: IncomingMessage, socket: Socket, head: Buffer): void {
    const res = new InvocationResponse(req);
    res.shouldKeepAlive = false;
    res.assignSocket(socket);
    res.on("finish", () => socket.destroySoon());
    socket.on("error", () => socket.destroy());
    const run = () => {
      res.detachSocket(socket);
      this.#upgrade(req, res, socket, head);
    };
    this.#act(this.#check(req), { req, res, run });
  }

  #check(req: IncomingMessage, parked = false): Admit {
    return admitRequest(req, { admission: this.#admission, key: this.#key, parked });
  }

  #act(admit: Admit, exchange: Exchange): void {
    const { res } = exchange;
    if ("run" in admit) exchange.run();
    else if ("park" in admit) this.#parking.park(exchange);
    else if ("refuse" in admit) refuse(res, admit.refuse);
    else platformError(res, 502, "FUNCTION_LOAD_FAILED", this.#loadError);
  }

  #run(req: IncomingMessage, res: InvocationResponse): void {
    const { invoke } = this.#function as Loaded;
    const done = (well: boolean) => {
      if (well) this.#reportAnswered();
      this.#finish();
    };
    const outlived = (message: string) => {
      this.#reportAnswered();
      this.#ail(message);
    };
    runInvocation(invoke, req, res, { timeoutMs: this.#timeoutMs, done, outlived });
  }

  /** Reports the first answer (also that of an abandoned invocation) at once, before any later one can end the process. */
  #reportAnswered(): void {
    if (!this.#answered) this.#report({ type: "answered" });
    this.#answered = true;
  }

  /** Hands the connection to the function until it ends; it counts as one invocation. */
  #upgrade(req: IncomingMessage, res: InvocationResponse, socket: Socket, head: Buffer): void {
    const call: Call = { ...identityOf(req), res, background: null, crashed: () => socket.destroy() };
    socket.on("close", () => {
      flushOutput(call);
      this.#finish();
    });
    runUpgrade((this.#function as Loaded).upgrade, req, call, socket, head);
  }

  #finish(): void {
    this.#admission.finish();
    this.#leaveWhenUnused();
  }

  #unpark(): Promise<void> {
    return this.#parking.release((exchange) => {
      const admit = this.#check(exchange.req, true);
      // For the router this ends loadTimeout and begins timeout.
      if ("run" in admit) exchange.res.writeProcessing();
      this.#act(admit, exchange);
    });
  }

  get #isUnused(): boolean {
    return this.#draining && this.#admission.running === 0 && (this.#connections === 0 || this.#ailing);
  }

  /** Ends a draining worker once its connections are closed, which is the router's task. */
  #leaveWhenUnused(): void {
    timers.clearTimeout(this.#leaving);
    if (!this.#isUnused) return;
    // Exiting resets connections that are not accepted yet: the event loop accepts them right before, and any of them cancels the exit.
    const leave = () => this.#isUnused && this.#ending.leave(0);
    this.#leaving = timers.setTimeout(() => timers.setImmediate(leave), LEAVE_MS);
  }
}
