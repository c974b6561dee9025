import replyFrom from "@fastify/reply-from";
import Fastify, { type FastifyInstance, LogController } from "fastify";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { expose } from "../../telemetry/exposition.ts";
import { isHttpUrl } from "../client/address.ts";
import type { ApiKeys } from "../client/api-keys.ts";
import { ManagerError, type ManagerErrorCode } from "../errors.ts";
import { guard } from "./browser-guard.ts";

/** Marks a request that a standby has forwarded; it is not forwarded a second time. */
const PASSED = "x-berth-standby";
/** Timeout of a silent response. The table's stream has a heartbeat each second, and every other response is faster. */
const SILENT_MS = 60_000;
/** Connect timeout: a pod that is gone neither accepts nor refuses a connection. */
const CONNECT_MS = 1000;
/** Errors before anything is sent, after which a retry is safe. */
const UNSENT = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);

/** The API of a pool manager that does not lead: it forwards requests to the leader. */
export class Standby {
  #leader: string | null = null;
  readonly app: FastifyInstance;

  constructor(metrics: Registry, keys: ApiKeys | null, log: Logger) {
    this.app = Fastify({ loggerInstance: log, logController: new LogController({ disableRequestLogging: true }) }) as unknown as FastifyInstance;
    void this.app.register(replyFrom, {
      disableRequestLogging: true,
      undici: { bodyTimeout: SILENT_MS, headersTimeout: SILENT_MS, connect: { timeout: CONNECT_MS } },
    });
    this.app.removeAllContentTypeParsers();
    this.app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
    this.app.setErrorHandler((error, _request, reply) => {
      const known = error instanceof ManagerError ? error : new ManagerError("INTERNAL", "the request failed inside berth");
      const { status, body } = answer(known.code, known.message);
      return reply.status(status).send(body);
    });
    guard(this.app, keys);
    this.app.get("/healthz", async () => ({ ok: true }));
    this.app.get("/metrics", async (request, reply) => {
      const { type, text } = await expose([metrics], request.headers.accept);
      return reply.type(type).send(text);
    });
    this.app.get("/readyz", async (_request, reply) => {
      const { status, body } = answer("NOT_READY", "no pool manager leads yet");
      return this.#leader ? { ok: true, leader: this.#leader } : reply.status(status).send(body);
    });
    this.app.all("/*", (request, reply) => {
      if (!this.#leader || request.headers[PASSED] !== undefined) {
        const { status, body } = answer("NO_LEADER", "this pool manager is not the leader, and knows of none");
        return reply.status(status).header("retry-after", "1").send(body);
      }
      return reply.from(this.#leader + request.url, {
        retriesCount: 0,
        rewriteRequestHeaders: (_request, headers) => ({ ...headers, [PASSED]: "1" }),
        onError: (failed, { error }) => {
          const isRetryable = request.method === "GET" || UNSENT.has((error.cause as NodeJS.ErrnoException)?.code ?? "");
          const { status, body } = answer(isRetryable ? "NO_LEADER" : "LEADER_LOST", "the leader does not answer");
          (failed as unknown as typeof reply).status(status).header("retry-after", "1").send(body);
        },
      });
    });
  }

  /** Origin of the leader's manage API; null if no reachable leader is known. */
  get leader(): string | null {
    return this.#leader;
  }

  /** Sets the leader that the Lease names. The Lease may have been edited: an invalid address counts as none. */
  follow(url: string | null): void {
    this.#leader = url !== null && isHttpUrl(url) ? new URL(url).origin : null;
  }
}

function answer(code: ManagerErrorCode, message: string) {
  const { status, fix } = new ManagerError(code, message);
  return { status, body: { error: { code, message, fix } } };
}
