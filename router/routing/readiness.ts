import { connect } from "node:net";
import type { Endpoint } from "../../pool-manager/client/contract.ts";
import { expiry } from "../../pool-manager/client/expiry.ts";
import type { Table } from "./table.ts";

/** How long the pool manager may be silent: longer than a standby needs to take over. */
export const UNHEARD_MS = 30_000;
/** How often the pool manager's silence is checked. */
const CHECK_INTERVAL_MS = 1000;
/** How long an instance may take to accept a connection; beyond it it counts as unreachable. */
const REACH_MS = 1000;
/** The number of instances that are tried at once. */
const AT_ONCE = 32;

export interface RouterReadinessOptions {
  table: Pick<Table, "unheardMs" | "lostReason" | "endpoints">;
  /** Receives one line at each change. */
  say(line: string): void;
  /** Whether the endpoint accepts a connection. Does not reject. */
  reach?(endpoint: Endpoint): Promise<boolean>;
}

/**
 * Whether this router can serve invocations. Without a pool manager it serves the instances that it knows, and stays
 * ready. If the pool manager is silent for long and no instance is reachable either, it can only keep invocations waiting.
 */
export class RouterReadiness {
  readonly #table: RouterReadinessOptions["table"];
  readonly #say: (line: string) => void;
  readonly #reach: (endpoint: Endpoint) => Promise<boolean>;
  #timer: NodeJS.Timeout | null = null;
  #isUnheard = false;
  #isStranded = false;
  #isChecking = false;

  constructor({ table, say, reach = acceptsConnection }: RouterReadinessOptions) {
    this.#table = table;
    this.#say = say;
    this.#reach = reach;
  }

  /** The pool manager is silent, and no instance is reachable. */
  get isStranded(): boolean {
    return this.#isStranded;
  }

  start(): void {
    this.#timer = setInterval(() => void this.check(), CHECK_INTERVAL_MS);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
  }

  /** Updates the state, unless a check is in progress. */
  async check(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    try {
      const { unheardMs, lostReason } = this.#table;
      if (unheardMs < UNHEARD_MS) return this.#heard(unheardMs);
      if (!this.#isUnheard)
        this.#say(`the pool manager has not been heard for ${Math.round(unheardMs / 1000)} s (${lostReason}): known instances keep serving`);
      this.#isUnheard = true;
      const endpoints = [...this.#table.endpoints()];
      const reached = await this.#anyReached(endpoints);
      // If the pool manager has been heard meanwhile, the next check reports it.
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
      this.#say(now ? `none of the ${known} known instances can be reached either: not ready` : "an instance can be reached again: ready");
    }
    this.#isStranded = now;
  }

  /** Tries some at a time until one is reached. */
  async #anyReached(endpoints: Endpoint[]): Promise<boolean> {
    for (let from = 0; from < endpoints.length; from += AT_ONCE) {
      const reached = await Promise.all(endpoints.slice(from, from + AT_ONCE).map(this.#reach));
      if (reached.includes(true)) return true;
    }
    return false;
  }
}

/** Opens and closes a connection, and sends nothing to the worker. */
function acceptsConnection({ host, port }: Endpoint): Promise<boolean> {
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
