import { BoundedMap } from "../../collections/bounded.ts";
import { STANDARD_IDLE_MS } from "../../functions/manifest/idle-timeout.ts";
import { type IdleCounts, IdleHistogram } from "./idle-histogram.ts";
import { decideIdle, type IdleDecision, type IdleInputs } from "./idle-policy.ts";

/** How long an instance may be idle for each start that this avoids. */
export const WORTH_MS = 3_600_000;
/** A decision is made anew when this share of the idle times is new. */
const RENEW = 1 / 20;
/** Reporters that are remembered of a function: routers, for each served revision. */
const MAX_SOURCES = 64;

/** One router's last report of a revision: whether it has invocations there, and how many have ended. */
interface Said {
  active: boolean;
  ended: number;
  at: number;
}

/** A decision with everything that it depended on. */
export interface KeptIdleDecision {
  inputs: IdleInputs;
  decision: IdleDecision;
}

/** The idle times of one function, and what follows from them. Times are of the wall clock. */
export class IdleRecord {
  readonly histogram: IdleHistogram;
  /** When its last invocation ended; null: it has some, or nothing is known yet. */
  idleSince: number | null;
  readonly #said = new BoundedMap<string, Said>(MAX_SOURCES);
  #last: KeptIdleDecision | null = null;
  #total = 0;

  constructor(counts?: IdleCounts, idleSince: number | null = null) {
    this.histogram = new IdleHistogram(counts);
    this.idleSince = idleSince;
  }

  /** A report of `source`; those of others hold for `validMs`. Returns whether the function was used since the report before. */
  hear(source: string, { active, ended }: Pick<Said, "active" | "ended">, now: number, validMs: number): boolean {
    const before = this.#said.get(source);
    this.#said.set(source, { active, ended, at: now });
    const used = active || (before !== undefined && ended !== before.ended && ended > 0);
    if (used && this.idleSince !== null) this.histogram.add(now - this.idleSince);
    if ([...this.#said.values()].some((one) => one.active && now - one.at <= validMs)) this.idleSince = null;
    else if (used || this.idleSince === null) this.idleSince = now;
    return used;
  }

  /** The decision in force. */
  decided(): KeptIdleDecision {
    const { total } = this.histogram;
    if (this.#last && Math.abs(total - this.#total) <= this.#total * RENEW) return this.#last;
    const inputs = { ...this.histogram.counts(), standardMs: STANDARD_IDLE_MS, worthMs: WORTH_MS };
    this.#total = total;
    this.#last = { inputs, decision: decideIdle(inputs) };
    return this.#last;
  }
}
