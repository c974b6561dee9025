import type { DemandReport } from "../../client/contract.ts";
import { BoundedMap } from "../../collections/bounded.ts";

export interface Counts {
  ended: number;
  failed: number;
}

interface Last extends Counts {
  functionUid: string;
  revision: string;
  seq: number;
}

const NONE: Counts = { ended: 0, failed: 0 };

/** Maximum number of (router, revision) pairs that are kept; the least recently reported one makes room. */
const MAX_LAST = 100_000;

/**
 * Outcomes of each revision's invocations since this pool manager leads, summed over all routers, which report running
 * totals. A router's first total is its baseline, and no evidence of the present.
 */
export class InvocationOutcomes {
  readonly #since: number;
  readonly #last = new BoundedMap<string, Last>(MAX_LAST, (id, { functionUid }) => this.#unlist(id, functionUid));
  /** Keys of `#last`, by function. */
  readonly #ids = new Map<string, Set<string>>();
  /** By function, then by revision, so that `retain` visits one function only. */
  readonly #sums = new Map<string, Map<string, Counts>>();

  /** `since`: when this pool manager began to lead. */
  constructor(since: number) {
    this.#since = since;
  }

  hear({ router, seq, functions }: DemandReport, now: number): void {
    for (const { key, revision, ended, failed, countedMs } of functions) {
      const id = `${router}/${key}/${revision}`;
      const last = this.#last.get(id);
      if (last && last.seq >= seq) continue;
      const functionUid = key.split("@")[0] ?? "";
      this.#remember(id, { functionUid, revision, ended, failed, seq });
      if (!last && !(countedMs !== undefined && now - countedMs >= this.#since)) continue;
      // A router that serves a revision anew counts from zero.
      const since = last && last.ended <= ended ? last : NONE;
      this.#add(functionUid, revision, { ended: ended - since.ended, failed: failed - since.failed });
    }
  }

  #add(functionUid: string, revision: string, { ended, failed }: Counts): void {
    const own = this.#sums.get(functionUid) ?? new Map<string, Counts>();
    const sum = own.get(revision) ?? NONE;
    this.#sums.set(functionUid, own.set(revision, { ended: sum.ended + ended, failed: sum.failed + failed }));
  }

  of(functionUid: string, revision: string): Counts {
    return this.#sums.get(functionUid)?.get(revision) ?? NONE;
  }

  /** Drops the counts of a function's retired revisions. A silent router's baseline is kept, since it resumes from there. */
  retain(functionUid: string, served: ReadonlySet<string>): void {
    const own = this.#sums.get(functionUid);
    for (const revision of own?.keys() ?? []) if (!served.has(revision)) own?.delete(revision);
    if (own?.size === 0) this.#sums.delete(functionUid);
    for (const id of this.#ids.get(functionUid) ?? []) {
      if (served.has(this.#last.get(id)?.revision ?? "")) continue;
      this.#last.delete(id);
      this.#unlist(id, functionUid);
    }
  }

  #unlist(id: string, functionUid: string): void {
    const own = this.#ids.get(functionUid);
    own?.delete(id);
    if (own?.size === 0) this.#ids.delete(functionUid);
  }

  #remember(id: string, last: Last): void {
    this.#last.set(id, last);
    const own = this.#ids.get(last.functionUid) ?? new Set<string>();
    this.#ids.set(last.functionUid, own.add(id));
  }
}
