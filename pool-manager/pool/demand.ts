import { DEMAND_EXPIRY_MS, type DemandReport, type FunctionDemand, type InstanceUse } from "../client/contract.ts";
import type { DemandView } from "./state.ts";

interface Heard {
  entry: FunctionDemand;
  seq: number;
  at: number;
}

/** Most (router, function) pairs that are kept. */
const MAX_ENTRIES = 100_000;

/** The latest report of each router for each function: level-triggered, so that the next heals a lost one. */
export class Demand {
  readonly #heard = new Map<string, Heard>();
  /** When each instance was last used: it holds after the router that told of it has fallen silent. */
  readonly #lastUsed = new Map<string, number>();
  readonly #suspects = new Map<string, { bootId: string; at: number }>();

  hear(report: DemandReport, now: number): void {
    if (this.#heard.size > MAX_ENTRIES) this.#forget(now);
    for (const entry of report.functions) {
      const key = `${report.router}/${entry.key}`;
      const last = this.#heard.get(key);
      if (last && last.seq >= report.seq) continue;
      this.#heard.set(key, { entry, seq: report.seq, at: now });
      for (const use of entry.instances) this.#used(use, now);
    }
    for (const { uid, bootId } of report.suspects) this.#suspects.set(uid, { bootId, at: now });
  }

  /** These are not served any more: what is in flight there is reported elsewhere. */
  drop(keys: readonly string[]): void {
    for (const [id, { entry }] of this.#heard) if (keys.includes(entry.key)) this.#heard.delete(id);
  }

  /** Of other instances nothing is remembered. */
  retain(instances: ReadonlyMap<string, unknown>): void {
    for (const uid of this.#lastUsed.keys()) if (!instances.has(uid)) this.#lastUsed.delete(uid);
  }

  /** Sums over all routers whose last report has not expired. */
  byFunction(now: number): Map<string, DemandView> {
    const sums = new Map<string, DemandView>();
    for (const { entry, age } of this.#entries(now)) {
      const sum = sums.get(entry.key) ?? { waiting: 0, inFlight: 0, oldestWaitMs: 0 };
      sum.waiting += entry.waiting;
      sum.inFlight += entry.inFlight;
      if (entry.waiting > 0) sum.oldestWaitMs = Math.max(sum.oldestWaitMs, entry.oldestWaitMs + age);
      sums.set(entry.key, sum);
    }
    return sums;
  }

  /** Use of each instance: invocations on it, and when the last one began or ended. */
  byInstance(now: number): Map<string, { inFlight: number; lastUsedAt: number }> {
    const uses = new Map([...this.#lastUsed].map(([uid, lastUsedAt]) => [uid, { inFlight: 0, lastUsedAt }]));
    for (const { entry, age } of this.#entries(now)) {
      for (const { uid, inFlight } of entry.instances) {
        const use = uses.get(uid);
        if (use) uses.set(uid, { inFlight: use.inFlight + inFlight, lastUsedAt: inFlight > 0 ? Math.max(use.lastUsedAt, now - age) : use.lastUsedAt });
      }
    }
    return uses;
  }

  /** Instances that some router could not use, by uid with their bootId. */
  suspects(now: number): Map<string, string> {
    for (const [uid, { at }] of this.#suspects) if (now - at > DEMAND_EXPIRY_MS) this.#suspects.delete(uid);
    return new Map([...this.#suspects].map(([uid, { bootId }]) => [uid, bootId]));
  }

  #used({ uid, inFlight, idleMs }: InstanceUse, now: number): void {
    if (this.#lastUsed.size >= MAX_ENTRIES && !this.#lastUsed.has(uid)) return;
    this.#lastUsed.set(uid, Math.max(this.#lastUsed.get(uid) ?? 0, inFlight > 0 ? now : now - idleMs));
  }

  #entries(now: number): { entry: FunctionDemand; age: number }[] {
    this.#forget(now);
    return [...this.#heard.values()].map(({ entry, at }) => ({ entry, age: now - at }));
  }

  #forget(now: number): void {
    for (const [key, { at }] of this.#heard) if (now - at > DEMAND_EXPIRY_MS) this.#heard.delete(key);
  }
}
