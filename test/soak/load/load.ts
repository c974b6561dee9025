import { type IncomingMessage, request } from "node:http";
import type { History } from "../history.ts";

/** Longer than any queue and any invocation of a soak together. */
const PATIENCE_MS = 120_000;
/** After a refused connection, or where no router is ready. */
const RETRY_MS = 100;
const SMALL_BYTES = 2000;
/** Too long to be kept by a router and sent again. */
const LARGE_BYTES = 200_000;

export interface LoadOptions {
  history: History;
  random: () => number;
  /** Names that are invoked. */
  functions: readonly string[];
  /** Invocations per second. */
  rate: number;
  /** Routers that say that they are ready, as a load balancer knows them. */
  routers: () => readonly string[];
}

interface Answer {
  status: number;
  code: string | null;
  revision: string | null;
  text: string;
}

/**
 * Invocations at random, all the time: most are quick, some take seconds, some have a body. A client uses ready routers, each
 * connection once, and sends again only what was never sent: where the connection was refused.
 */
export class Load {
  readonly #options: LoadOptions;
  readonly #running = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #count = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#next();
  }

  get running(): number {
    return this.#running.size;
  }

  get count(): number {
    return this.#count;
  }

  /** Many at once, of one function. */
  burst(name: string, count: number): void {
    for (let i = 0; i < count; i++) this.#begin(name);
  }

  /** No further ones; resolves when all have ended. */
  async end(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await Promise.all(this.#running);
  }

  #next(): void {
    const { random, rate, functions } = this.#options;
    const gapMs = (-Math.log(1 - random()) / rate) * 1000;
    this.#timer = setTimeout(() => {
      this.#next();
      this.#begin(functions[Math.floor(random() * functions.length)] as string);
    }, gapMs);
  }

  #begin(name: string): void {
    const running = this.#invoke(name).then(() => void this.#running.delete(running));
    this.#running.add(running);
  }

  async #invoke(name: string): Promise<void> {
    const { history, random } = this.#options;
    const id = history.id("invocation");
    this.#count += 1;
    const kind = random();
    const ms = Math.round(kind < 0.1 ? 1000 + 3000 * random() : 20 * random());
    const body = kind > 0.97 ? LARGE_BYTES : kind > 0.85 ? SMALL_BYTES : 0;
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const router = this.#router();
      if (router) {
        history.add({ type: "begun", id, function: name, router, bytes: body });
        const answer = await send(`${router}/function/${name}?id=${id}&ms=${ms}`, body);
        if (answer.code !== "ECONNREFUSED" || Date.now() > deadline) return this.#ended(id, body, answer);
      } else if (Date.now() > deadline) {
        history.add({ type: "begun", id, function: name, router: "none", bytes: body });
        return this.#ended(id, body, { status: 0, code: "NO_ROUTER", revision: null, text: "no router was ready" });
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  #router(): string | undefined {
    const ready = this.#options.routers();
    return ready[Math.floor(this.#options.random() * ready.length)];
  }

  #ended(id: string, bytes: number, { status, code, revision, text }: Answer): void {
    const said = status === 200 ? parse(text) : null;
    const tag = said?.length === bytes ? said.tag : null;
    this.#options.history.add({ type: "ended", id, status, code, tag, revision, text: tag === null ? text.slice(0, 300) : "" });
  }
}

function parse(text: string): { tag: string; length: number } | null {
  try {
    return JSON.parse(text) as { tag: string; length: number };
  } catch {
    // It is told as it is: something else than the function's answer.
    return null;
  }
}

function send(url: string, bytes: number): Promise<Answer> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => resolve({ status: 0, code: error.code ?? error.message, revision: null, text: error.message });
    const read = (response: IncomingMessage) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (more: string) => {
        text += more;
      });
      response.on("error", failed);
      response.on("end", () => {
        const header = (name: string) => (response.headers[name] as string | undefined) ?? null;
        resolve({ status: response.statusCode ?? 0, code: header("x-berth-error"), revision: header("x-berth-revision"), text });
      });
    };
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const invocation = request(url, { agent: false, method: bytes > 0 ? "POST" : "GET", signal }, read);
    invocation.on("error", failed);
    invocation.end(bytes > 0 ? "x".repeat(bytes) : undefined);
  });
}
