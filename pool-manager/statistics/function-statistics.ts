import type { FunctionUsage } from "../client/contract.ts";
import { BoundedMap } from "../collections/bounded.ts";
import { addTo, courseOf, emptySlot, SLOT_MS, SLOTS, type Slot, type StatisticsPoint, type StatisticsView, viewOf } from "./slots.ts";

/** Functions that are kept; the one that was heard of longest ago makes room. */
const MAX_FUNCTIONS = 2000;

interface Kept {
  slots: Slot[];
  /** The last view, and the slot and report that it is of. */
  view: StatisticsView | null;
  viewedIn: number;
}

/** The routers' reports of invocations, added up by function for the last five minutes. Kept in memory: a new leader begins anew. */
export class FunctionStatistics {
  readonly #kept = new BoundedMap<string, Kept>(MAX_FUNCTIONS);

  /** `now` in milliseconds. */
  hear(usage: readonly FunctionUsage[], now: number): void {
    for (const report of usage) this.#hear(report, now);
  }

  /** Null if nothing was heard of the function in the last five minutes. */
  of(uid: string, now: number): StatisticsView | null {
    const kept = this.#live(uid, now);
    if (!kept) return null;
    const second = Math.floor(now / 1000);
    if (!kept.view || kept.viewedIn !== second) kept.view = viewOf(kept.slots, now);
    kept.viewedIn = second;
    return kept.view;
  }

  courseOf(uid: string, now: number): StatisticsPoint[] {
    return courseOf(this.#live(uid, now)?.slots ?? [], now);
  }

  #hear(report: FunctionUsage, now: number): void {
    const { uid } = report;
    const kept = this.#kept.get(uid) ?? { slots: [], view: null, viewedIn: 0 };
    this.#kept.set(uid, kept);
    const at = Math.floor(now / SLOT_MS);
    let slot = kept.slots.at(-1);
    if (slot?.at !== at) {
      slot = emptySlot(at);
      kept.slots.push(slot);
      while ((kept.slots[0]?.at ?? at) <= at - SLOTS) kept.slots.shift();
    }
    addTo(slot, report);
    kept.view = null;
  }

  #live(uid: string, now: number): Kept | null {
    const kept = this.#kept.get(uid);
    if (!kept) return null;
    if ((kept.slots.at(-1)?.at ?? 0) > Math.floor(now / SLOT_MS) - SLOTS) return kept;
    this.#kept.delete(uid);
    return null;
  }
}
