import type { ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";
import { type Static, Type } from "typebox";
import { HOST_PATTERN } from "../../client/address.ts";
import {
  CONFIRM_MS,
  type DemandReport,
  LINK_ALIVE_MS,
  LINK_SILENT_MS,
  type Mark,
  type PoolManagerLink,
  type RouterPeer,
  type TableChange,
} from "../../client/contract.ts";
import { BoundedMap } from "../../collections/bounded.ts";
import { ManagerError } from "../../errors.ts";
import { DemandBody } from "../schemas/demand.ts";

/** Number of buffered bytes beyond which a slow router is disconnected; it reconnects for a snapshot. */
const MAX_BEHIND = 16 * 1024 * 1024;
const MAX_REPORT_BYTES = 16 * 1024 * 1024;

const FollowQuery = Type.Object({
  router: Type.String({ minLength: 1, maxLength: 64 }),
  host: Type.String({ maxLength: 253, pattern: HOST_PATTERN }),
  port: Type.Integer({ minimum: 1, maximum: 65_535 }),
  leaving: Type.Optional(Type.Boolean()),
});

interface Follower {
  peer: RouterPeer;
  stream: ServerResponse;
  heardAt: number;
  leaving: boolean;
  /** Last confirmed mark. */
  mark: number;
}

/** Maximum number of addresses whose last router is remembered. */
const MAX_ADDRESSES = 10_000;

/** Receives what routers report, and their end. */
export interface RouterAudience extends PoolManagerLink {
  /** The router's process has ended. */
  routerEnded(id: string): void;
}

/** Links to routers: `GET /v1/table` streams the table as JSON lines, `POST /v1/demand` accepts reports, which are heartbeats too. */
export class RouterLinks {
  readonly #link: RouterAudience;
  readonly #ready: () => boolean;
  readonly #now: () => number;
  readonly #followers = new Set<Follower>();
  readonly #timer: NodeJS.Timeout;
  /** Id of the last router at each address. */
  readonly #residents = new BoundedMap<string, string>(MAX_ADDRESSES);
  /** Checks of pending `confirmed` calls. */
  readonly #waiting = new Set<() => void>();
  #mark = 0;

  /**
   * `ready`: whether the table is complete; an incomplete one would remove functions from routers. `now` in milliseconds,
   * without the time in which this process was stalled, so that it does not count as routers' silence.
   */
  constructor(link: RouterAudience, ready: () => boolean, now: () => number = () => performance.now()) {
    this.#link = link;
    this.#ready = ready;
    this.#now = now;
    // `setImmediate` runs after pending input: reports that arrived while this process was stalled are read first.
    this.#timer = setInterval(() => setImmediate(() => this.#beat()), LINK_ALIVE_MS);
  }

  routes(app: FastifyInstance): void {
    app.get<{ Querystring: Static<typeof FollowQuery> }>("/v1/table", { schema: { hide: true, querystring: FollowQuery } }, (request, reply) => {
      if (!this.#ready()) throw new ManagerError("NOT_READY", "the instances are still being listed");
      reply.hijack();
      const { router: id, host, port, leaving = false } = request.query;
      this.#follow({ peer: { id, host, port }, stream: reply.raw, heardAt: this.#now(), leaving, mark: 0 });
    });
    app.post<{ Body: DemandReport }>("/v1/demand", { schema: { hide: true, body: DemandBody }, bodyLimit: MAX_REPORT_BYTES }, async (request, reply) => {
      const report = request.body;
      for (const follower of this.#followers) if (follower.peer.id === report.router) this.#heard(follower, report);
      this.#link.report(report);
      return reply.status(204).send();
    });
  }

  /** Resolves once each connected router has applied all earlier changes, or after `CONFIRM_MS`. */
  confirmed(): Promise<void> {
    if (this.#followers.size === 0) return Promise.resolve();
    const mark = ++this.#mark;
    for (const { stream } of this.#followers) send(stream, { type: "mark", mark });
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve();
      };
      const check = () => [...this.#followers].every((follower) => follower.mark >= mark) && end();
      const timer = setTimeout(end, CONFIRM_MS);
      this.#waiting.add(check);
    });
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { stream } of this.#followers) stream.destroy();
  }

  #follow(follower: Follower): void {
    const { stream } = follower;
    stream.socket?.setNoDelay(true);
    stream.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
    const unsubscribe = this.#link.subscribe((change) => send(stream, change));
    // The snapshot includes all changes before the current mark.
    follower.mark = this.#mark;
    this.#followers.add(follower);
    this.#movesIn(follower.peer);
    this.#publish();
    stream.on("error", () => {});
    stream.on("close", () => {
      unsubscribe();
      if (this.#followers.delete(follower)) this.#publish();
      if (this.#residents.get(addressOf(follower.peer)) !== follower.peer.id) this.#ended(follower.peer.id);
      this.#check();
    });
  }

  /** Registers a router's address. A former router at the same address has ended. */
  #movesIn(peer: RouterPeer): void {
    const address = addressOf(peer);
    const former = this.#residents.get(address);
    this.#residents.set(address, peer.id);
    if (former !== undefined && former !== peer.id) this.#ended(former);
  }

  /** Reports a router's end, unless it still has an open stream. */
  #ended(id: string): void {
    if (![...this.#followers].some(({ peer }) => peer.id === id)) this.#link.routerEnded(id);
  }

  #heard(follower: Follower, { leaving, mark }: DemandReport): void {
    follower.heardAt = this.#now();
    if (mark !== undefined) {
      follower.mark = mark;
      this.#check();
    }
    if (!leaving || follower.leaving) return;
    follower.leaving = true;
    this.#publish();
  }

  /** Connected routers that are not leaving. */
  get peers(): RouterPeer[] {
    return [...this.#followers].filter(({ leaving }) => !leaving).map(({ peer }) => peer);
  }

  #check(): void {
    for (const check of this.#waiting) check();
  }

  #publish(): void {
    const routers = this.peers;
    for (const { stream } of this.#followers) send(stream, { type: "routers", routers });
  }

  /** Sends heartbeats, and disconnects silent routers, so that others take over the slots that they own. */
  #beat(): void {
    for (const { stream, heardAt } of this.#followers) {
      if (this.#now() - heardAt > LINK_SILENT_MS) stream.destroy();
      else stream.write("\n");
    }
  }
}

function send(stream: ServerResponse, change: TableChange | Mark): void {
  stream.write(`${JSON.stringify(change)}\n`);
  if (stream.writableLength > MAX_BEHIND) stream.destroy();
}

function addressOf({ host, port }: RouterPeer): string {
  return `${host}:${port}`;
}
