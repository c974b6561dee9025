import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { DEMAND_REPEAT_MS, type DemandReport, LINK_SILENT_MS, ROUTER_HEADER, type RouterPeer, type TableChange } from "./contract.ts";
import { expiry } from "./expiry.ts";
import { parseChange, TableError } from "./parse.ts";
import { ServiceLookup } from "./service-lookup.ts";
import type { ReachableLink } from "./snapshot-link.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;
/** Unheard for this long, another address is asked too: a pool manager that takes over from one that stopped is found sooner. */
const ELSEWHERE_AFTER_MS = 2000;
/** An address of a pod that is gone answers no connection, and refuses none; the Service then leads to another pod. */
const CONNECT_MS = 1000;
const CONNECT_OTHER_MS = 300;
/** Reports under way at once; further ones are dropped, since the next ones say the same. */
const MAX_REPORTS = 64;

/**
 * The link over HTTP: `GET /v1/table` streams the table as JSON lines, `POST /v1/demand` takes reports. The stream is
 * opened again whenever it ends or falls silent, each time at wherever the name leads by then; listeners then get a
 * snapshot, and until then keep what they have.
 */
export class ManagerClient implements ReachableLink {
  readonly #url: string;
  /** Where it was last said to be besides. */
  #otherUrl: string | null = null;
  /** Where it is asked at present. */
  #currentUrl: string;
  /** Streams that were opened since it was last heard. */
  #tries = 0;
  #unheardSince = 0;
  readonly #self: RouterPeer;
  readonly #authorization: Record<string, string>;
  #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #services: ServiceLookup;
  readonly #listeners = new Set<(change: TableChange) => void>();
  #stream: ClientRequest | null = null;
  /** Why the stream ended, or was not opened. */
  #reason = "";
  #reports = 0;
  #closed = false;
  #leaving = false;
  #pauseMs = FIRST_PAUSE_MS;
  #timer: NodeJS.Timeout | null = null;
  #alive: NodeJS.Timeout | null = null;
  #endSilence: () => void = () => {};

  /** `url` of the manage API, an http URL; `self` as other routers shall reach this one; `key` with the role `route`, where one is wanted. */
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
      // Says that this router lives, whether it has demand or not.
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
    // The stream, at the same address, tells what is wrong.
    req.on("error", () => {});
    req.on("close", () => {
      this.#reports -= 1;
    });
    req.end(body);
  }

  /** After some tries every other one goes there, as long as the pool manager is not heard. `url` is an http URL. */
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
    // Reports go where the stream comes from: a connection of before may lead to whoever has that address now.
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const { id, host, port } = this.#self;
    // One that leaves is nobody's peer from the first moment: what others passed on to it then might outlast it.
    const query = new URLSearchParams({ router: id, host, port: String(port), ...(this.#leaving && { leaving: "true" }) });
    const headers = { ...this.#authorization, [ROUTER_HEADER]: id };
    const req = request(`${this.#currentUrl}/v1/table?${query}`, { agent: false, headers, lookup: this.#services.lookup }, (res) => this.#read(req, res));
    this.#stream = req;
    this.#reason = "the pool manager has ended the connection";
    // What is dropped ends with an error too: that it was dropped is the reason.
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
      // What was dropped may still have lines that were read before.
      if (req.destroyed) return;
      this.#heard(req);
      if (line) this.#line(req, line);
    });
  }

  #line(req: ClientRequest, line: string): void {
    const change = this.#parse(req, line);
    if (change === null) return;
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#tries = 0;
    if (change.type === "unknown") return;
    if (change.type === "mark") return this.#sign(change.mark);
    for (const listener of this.#listeners) listener(change);
  }

  /** Null: whoever says this is dropped. It will say the same again, so that it is not asked at once, with a whole table each time. */
  #parse(req: ClientRequest, line: string): ReturnType<typeof parseChange> | null {
    try {
      return parseChange(line);
    } catch (error) {
      if (!(error instanceof TableError)) throw error;
      this.#pauseMs = LONGEST_PAUSE_MS;
      this.#drop(req, error.message);
      return null;
    }
  }

  /** A pool manager that has hung looks like one that has nothing to tell. */
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
    this.#timer = setTimeout(() => this.#open(), this.#pauseMs * (0.5 + Math.random()));
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}
