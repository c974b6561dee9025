import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { Backoff } from "../async/backoff.ts";
import { DEMAND_REPEAT_MS, type DemandReport, LINK_SILENT_MS, ROUTER_HEADER, type RouterPeer, type TableChange } from "./contract.ts";
import { expiry } from "./expiry.ts";
import { parseChange, TableError } from "./parse.ts";
import { ServiceLookup } from "./service-lookup.ts";
import type { ReachableLink } from "./snapshot-link.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;
/** Silence after which the other address is tried too, to find a new leader sooner. */
const ELSEWHERE_AFTER_MS = 2000;
/** Connect timeouts: a pod that is gone neither accepts nor refuses a connection, and the Service then leads to another pod. */
const CONNECT_MS = 1000;
const CONNECT_OTHER_MS = 300;
/** Maximum number of reports in flight; further ones are dropped, since each report is complete in itself. */
const MAX_REPORTS = 64;

/**
 * The link over HTTP: `GET /v1/table` streams the table as JSON lines, `POST /v1/demand` accepts reports. A stream that
 * ends or is silent is reopened, with a new DNS lookup each time. Listeners then get a snapshot, and keep their table
 * until then.
 */
export class ManagerClient implements ReachableLink {
  readonly #url: string;
  /** The other known URL of the pool manager, from `alsoAt`. */
  #otherUrl: string | null = null;
  /** The URL of the current stream. */
  #currentUrl: string;
  /** Number of streams opened since the last received change. */
  #tries = 0;
  #unheardSince = 0;
  readonly #self: RouterPeer;
  readonly #authorization: Record<string, string>;
  #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #services: ServiceLookup;
  readonly #listeners = new Set<(change: TableChange) => void>();
  #stream: ClientRequest | null = null;
  /** Why the stream ended or was not opened. */
  #reason = "";
  #reports = 0;
  #closed = false;
  #leaving = false;
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  #timer: NodeJS.Timeout | null = null;
  #alive: NodeJS.Timeout | null = null;
  #endSilence: () => void = () => {};

  /** `url`: http URL of the manage API; `self`: where other routers reach this one; `key`: with the role `route`, if one is required. */
  constructor(url: string, self: RouterPeer, key: string | null = null, services = new ServiceLookup()) {
    this.#url = url;
    this.#currentUrl = url;
    this.#services = services;
    this.#authorization = key === null ? {} : { authorization: `Bearer ${key}` };
    this.#self = self;
  }

  subscribe(listener: (change: TableChange) => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) {
      this.#open();
      // The heartbeat, sent with or without demand.
      this.#alive = setInterval(() => this.#sign(), DEMAND_REPEAT_MS);
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.close();
    };
  }

  report(report: DemandReport): void {
    if (this.#closed || this.#reports >= MAX_REPORTS) return;
    this.#reports += 1;
    const body = JSON.stringify(report);
    const headers = { ...this.#authorization, "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const { lookup } = this.#services;
    const options = { method: "POST", agent: this.#agent, headers, lookup, timeout: LINK_SILENT_MS };
    const req = request(`${this.#currentUrl}/v1/demand`, options, (res) => res.resume());
    req.on("timeout", () => req.destroy());
    // The stream, at the same address, reports what is wrong.
    req.on("error", () => {});
    req.on("close", () => {
      this.#reports -= 1;
    });
    req.end(body);
  }

  /** Sets the other URL (http), which every second attempt uses while the pool manager has been silent for `ELSEWHERE_AFTER_MS`. */
  alsoAt(url: string): void {
    this.#otherUrl = url;
  }

  leave(): void {
    this.#leaving = true;
    this.#sign();
  }

  close(): void {
    this.#closed = true;
    for (const timer of [this.#timer, this.#alive]) if (timer) clearTimeout(timer);
    this.#endSilence();
    this.#stream?.destroy();
    this.#agent.destroy();
  }

  #sign(mark?: number): void {
    const report: DemandReport = { router: this.#self.id, seq: 0, functions: [], suspects: [], leaving: this.#leaving };
    this.report(mark === undefined ? report : { ...report, mark });
  }

  #open(): void {
    if (this.#closed) return;
    this.#tries += 1;
    if (this.#tries === 1) this.#unheardSince = performance.now();
    const isTurn = this.#tries % 2 === 0 && performance.now() - this.#unheardSince > ELSEWHERE_AFTER_MS;
    const elsewhere = isTurn ? this.#otherUrl : null;
    this.#currentUrl = elsewhere ?? this.#url;
    // Reports go to the stream's address; a connection kept from before may lead to another process.
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const { id, host, port } = this.#self;
    // A leaving router must not become a peer: it might end before the invocations that others forward to it.
    const query = new URLSearchParams({ router: id, host, port: String(port), ...(this.#leaving && { leaving: "true" }) });
    const headers = { ...this.#authorization, [ROUTER_HEADER]: id };
    const req = request(`${this.#currentUrl}/v1/table?${query}`, { agent: false, headers, lookup: this.#services.lookup }, (res) => this.#read(req, res));
    this.#stream = req;
    this.#reason = "the pool manager has ended the connection";
    // A dropped request ends with an error too; the reason is the one given to `#drop`.
    req.on("error", (error) => {
      if (!req.destroyed) this.#reason = error.message;
    });
    req.on("close", () => this.#retryLater());
    const connectMs = elsewhere === null ? CONNECT_MS : CONNECT_OTHER_MS;
    req.on("socket", (socket) => {
      const connected = expiry(connectMs, () => this.#drop(req, `no connection within ${connectMs} ms`));
      for (const event of ["connect", "close"]) socket.once(event, connected);
    });
    this.#heard(req);
    req.end();
  }

  #read(req: ClientRequest, res: IncomingMessage): void {
    if (res.statusCode !== 200) return this.#drop(req, `the pool manager answers with status ${res.statusCode}`);
    const lines = createInterface({ input: res });
    for (const stream of [lines, res]) stream.on("error", () => {});
    lines.on("line", (line) => {
      // A dropped stream may still deliver buffered lines.
      if (req.destroyed) return;
      this.#heard(req);
      if (line) this.#line(req, line);
    });
  }

  #line(req: ClientRequest, line: string): void {
    const change = this.#parse(req, line);
    if (change === null) return;
    this.#backoff.reset();
    this.#tries = 0;
    if (change.type === "unknown") return;
    if (change.type === "mark") return this.#sign(change.mark);
    for (const listener of this.#listeners) listener(change);
  }

  /** Null if the line is invalid: the stream is dropped. The next attempt waits for the longest pause, since it would fetch the whole table and probably fail again. */
  #parse(req: ClientRequest, line: string): ReturnType<typeof parseChange> | null {
    try {
      return parseChange(line);
    } catch (error) {
      if (!(error instanceof TableError)) throw error;
      this.#backoff.exhaust();
      this.#drop(req, error.message);
      return null;
    }
  }

  /** Restarts the silence timer, which tells a pool manager that hangs from one without changes. */
  #heard(req: ClientRequest): void {
    this.#endSilence();
    this.#endSilence = expiry(LINK_SILENT_MS, () => this.#drop(req, `nothing was heard for ${LINK_SILENT_MS} ms`));
  }

  #drop(req: ClientRequest, reason: string): void {
    this.#reason = reason;
    req.destroy();
  }

  #retryLater(): void {
    if (this.#closed) return;
    for (const listener of this.#listeners) listener({ type: "lost", reason: this.#reason });
    this.#timer = setTimeout(() => this.#open(), this.#backoff.next() * (0.5 + Math.random()));
  }
}
