import { DEMAND_EXPIRY_MS, type DemandReport, type FunctionDemand, type InstanceUse } from "../../client/contract.ts";
import type { DemandView } from "../decide/world.ts";
import { RouterPresence } from "./router-presence.ts";

interface Heard {
  router: string;
  entry: FunctionDemand;
  seq: number;
  at: number;
}

/** An instance's use, as far as routers report it. */
export interface Use {
  /** Invocations in flight on it, as reported by routers. */
  inFlight: number;
  /** When its last invocation began or ended. */
  lastUsedAt: number;
  /** True if a router that was using it is silent: it may be in use. */
  unsure: boolean;
}

/** Maximum number of (router, function) pairs that are kept. */
const MAX_ENTRIES = 100_000;

/** A silent router may be using the instances on which it ran an invocation within this time before its last report. */
const USED_LATELY_MS = 300_000;

/**
 * The latest report of each router for each function: level-triggered, so that the next report makes up for a lost one.
 * A router that is silent without having said that it leaves may still use the instances of its last report.
 */
export class Demand {
  readonly #heard = new Map<string, Heard>();
  /** When each instance was last used; kept after the reporting router is silent. */
  readonly #lastUsed = new Map<string, number>();
  readonly #suspects = new Map<string, { bootId: string; at: number }>();
  readonly hearing = new RouterPresence();

  hear(report: DemandReport, now: number): void {
    const { router, leaving = false } = report;
    this.hearing.heard(router, leaving, now);
    if (this.#heard.size > MAX_ENTRIES) this.#forget(now);
    for (const entry of report.functions) {
      const key = `${router}/${entry.key}`;
      const last = this.#heard.get(key);
      if (last && last.seq >= report.seq) continue;
      this.#heard.set(key, { router, entry, seq: report.seq, at: now });
      for (const use of entry.instances) this.#used(use, now);
    }
    for (const { uid, bootId } of report.suspects) this.#suspects.set(uid, { bootId, at: now });
  }

  /** Drops the demand of keys that are no longer served: invocations in flight there are reported under another key. */
  drop(keys: readonly string[]): void {
    for (const [id, { entry }] of this.#heard) if (keys.includes(entry.key)) this.#heard.delete(id);
  }

  /** Forgets the use of all other instances. */
  retain(instances: ReadonlyMap<string, unknown>): void {
    for (const uid of this.#lastUsed.keys()) if (!instances.has(uid)) this.#lastUsed.delete(uid);
  }

  /** Demand by function, summed over all reports that have not expired. */
  byFunction(now: number): Map<string, DemandView> {
    const sums = new Map<string, DemandView>();
    for (const { entry, at } of this.#entries(now)) {
      const age = now - at;
      // A fast path: most reported functions are idle.
      if (age > DEMAND_EXPIRY_MS || (entry.waiting === 0 && entry.inFlight === 0)) continue;
      const sum = sums.get(entry.key) ?? { waiting: 0, inFlight: 0, oldestWaitMs: 0 };
      sum.waiting += entry.waiting;
      sum.inFlight += entry.inFlight;
      if (entry.waiting > 0) sum.oldestWaitMs = Math.max(sum.oldestWaitMs, entry.oldestWaitMs + age);
      sums.set(entry.key, sum);
    }
    return sums;
  }

  byInstance(now: number): Map<string, Use> {
    const uses = new Map<string, Use>([...this.#lastUsed].map(([uid, lastUsedAt]) => [uid, { inFlight: 0, lastUsedAt, unsure: false }]));
    for (const { entry, at } of this.#entries(now)) {
      const isSilent = now - at > DEMAND_EXPIRY_MS;
      for (const { uid, inFlight, idleMs } of entry.instances) {
        const use = uses.get(uid);
        if (!use) continue;
        if (isSilent) use.unsure ||= wasUsed({ inFlight, idleMs });
        else use.inFlight += inFlight;
        if (!isSilent && inFlight > 0) use.lastUsedAt = Math.max(use.lastUsedAt, at);
      }
    }
    return uses;
  }

  /** Instances that silent routers may be using, by router. */
  missed(now: number): Map<string, Set<string>> {
    const missed = new Map<string, Set<string>>();
    for (const { router, entry } of this.#entries(now)) {
      if (!this.hearing.isMissed(router, now)) continue;
      const kept = missed.get(router) ?? new Set<string>();
      for (const use of entry.instances) if (this.#lastUsed.has(use.uid) && wasUsed(use)) kept.add(use.uid);
      missed.set(router, kept);
    }
    return missed;
  }

  /** Instances that a router could not use: bootId by uid. */
  suspects(now: number): Map<string, string> {
    for (const [uid, { at }] of this.#suspects) if (now - at > DEMAND_EXPIRY_MS) this.#suspects.delete(uid);
    return new Map([...this.#suspects].map(([uid, { bootId }]) => [uid, bootId]));
  }

  #used({ uid, inFlight, idleMs }: InstanceUse, now: number): void {
    if (this.#lastUsed.size >= MAX_ENTRIES && !this.#lastUsed.has(uid)) return;
    this.#lastUsed.set(uid, Math.max(this.#lastUsed.get(uid) ?? 0, inFlight > 0 ? now : now - idleMs));
  }

  #entries(now: number): Iterable<Heard> {
    this.#forget(now);
    return this.#heard.values();
  }

  /**
   * Drops expired entries. A live router repeats all that it serves, so that an entry it does not repeat is obsolete;
   * a router that has just returned gets one expiry period to repeat its own.
   */
  #forget(now: number): void {
    this.hearing.forget(now);
    for (const [key, { router, at }] of this.#heard) {
      if (now - at <= DEMAND_EXPIRY_MS || this.hearing.isMissed(router, now)) continue;
      if (this.hearing.isHeard(router, now) && !this.hearing.isHeard(router, now, DEMAND_EXPIRY_MS)) continue;
      this.#heard.delete(key);
    }
  }
}

function wasUsed({ inFlight, idleMs }: Pick<InstanceUse, "inFlight" | "idleMs">): boolean {
  return inFlight > 0 || idleMs <= USED_LATELY_MS;
}
