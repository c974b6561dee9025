import { connect } from "node:net";
import type { Endpoint } from "../../pool-manager/client/contract.ts";
import { expiry } from "../../pool-manager/client/expiry.ts";
import type { Table } from "./table.ts";

/** A pool manager that has not been heard for this long is away for longer than another one needs to take over. */
export const UNHEARD_MS = 30_000;
/** Looked at as often. */
const CHECK_INTERVAL_MS = 1000;
/** An instance that has not taken a connection by then is not reached. */
const REACH_MS = 1000;
/** Connections that are tried at once. */
const AT_ONCE = 32;

export interface RouterReadinessOptions {
  table: Pick<Table, "unheardMs" | "lostReason" | "endpoints">;
  /** Told one line at each change. */
  say(line: string): void;
  /** Whether the endpoint takes a connection. Does not reject. */
  reach?(endpoint: Endpoint): Promise<boolean>;
}

/**
 * Whether this router is of use to anybody. One that hears of no pool manager serves the instances that it knows, and
 * is asked to; one that hears of none for long and reaches no instance either can only keep invocations waiting.
 */
export class RouterReadiness {
  readonly #table: RouterReadinessOptions["table"];
  readonly #say: (line: string) => void;
  readonly #reach: (endpoint: Endpoint) => Promise<boolean>;
  #timer: NodeJS.Timeout | null = null;
  #isUnheard = false;
  #isStranded = false;
  #isChecking = false;

  constructor({ table, say, reach = takesConnection }: RouterReadinessOptions) {
    this.#table = table;
    this.#say = say;
    this.#reach = reach;
  }

  /** Nothing is heard, and nothing is reached. */
  get isStranded(): boolean {
    return this.#isStranded;
  }

  start(): void {
    this.#timer = setInterval(() => void this.check(), CHECK_INTERVAL_MS);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
  }

  /** Finds out how things stand, unless it is being found out. */
  async check(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    try {
      const { unheardMs, lostReason } = this.#table;
      if (unheardMs < UNHEARD_MS) return this.#heard(unheardMs);
      if (!this.#isUnheard)
        this.#say(`the pool manager has not been heard for ${Math.round(unheardMs / 1000)} s (${lostReason}): instances that are known go on serving`);
      this.#isUnheard = true;
      const endpoints = [...this.#table.endpoints()];
      const reached = await this.#anyReached(endpoints);
      // Heard meanwhile: the next look tells.
      if (this.#table.unheardMs >= UNHEARD_MS) this.#stranded(!reached, endpoints.length);
    } finally {
      this.#isChecking = false;
    }
  }

  #heard(unheardMs: number): void {
    this.#isStranded = false;
    if (unheardMs > 0 || !this.#isUnheard) return;
    this.#isUnheard = false;
    this.#say("the pool manager is heard again");
  }

  #stranded(now: boolean, known: number): void {
    if (now !== this.#isStranded) {
      this.#say(now ? `none of the ${known} instances that are known can be reached either: not ready` : "an instance can be reached again: ready");
    }
    this.#isStranded = now;
  }

  /** Some at a time, in any order, until one is reached. */
  async #anyReached(endpoints: Endpoint[]): Promise<boolean> {
    for (let from = 0; from < endpoints.length; from += AT_ONCE) {
      const reached = await Promise.all(endpoints.slice(from, from + AT_ONCE).map(this.#reach));
      if (reached.includes(true)) return true;
    }
    return false;
  }
}

/** A connection is opened and closed again: no worker is asked anything. */
function takesConnection({ host, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (reached: boolean) => {
      endTimer();
      socket.destroy();
      resolve(reached);
    };
    const endTimer = expiry(REACH_MS, () => end(false));
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
