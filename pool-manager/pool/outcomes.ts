import { DEMAND_EXPIRY_MS, type DemandReport } from "../client/contract.ts";

export interface Counts {
  ended: number;
  failed: number;
}

const NONE: Counts = { ended: 0, failed: 0 };

/** How invocations of each revision ended, over all routers: they report running totals of their own. */
export class Outcomes {
  readonly #last = new Map<string, Counts & { seq: number; at: number }>();
  readonly #sums = new Map<string, Counts>();

  hear({ router, seq, functions }: DemandReport, now: number): void {
    for (const { key, revision, ended, failed } of functions) {
      const id = `${router}/${key}/${revision}`;
      const last = this.#last.get(id);
      if (last && last.seq >= seq) continue;
      this.#last.set(id, { ended, failed, seq, at: now });
      // A router that serves a revision anew begins again.
      const since = last && last.ended <= ended ? last : NONE;
      const name = nameOf(key.split("@")[0] ?? "", revision);
      const sum = this.#sums.get(name) ?? NONE;
      this.#sums.set(name, { ended: sum.ended + ended - since.ended, failed: sum.failed + failed - since.failed });
    }
  }

  of(functionUid: string, revision: string): Counts {
    return this.#sums.get(nameOf(functionUid, revision)) ?? NONE;
  }

  /** Drops what is known of revisions that are not served any more, and of routers that have fallen silent. */
  retain(isServed: (functionUid: string, revision: string) => boolean, now: number): void {
    for (const name of this.#sums.keys()) {
      const [functionUid, revision] = name.split("/") as [string, string];
      if (!isServed(functionUid, revision)) this.#sums.delete(name);
    }
    for (const [id, { at }] of this.#last) if (now - at > 10 * DEMAND_EXPIRY_MS) this.#last.delete(id);
  }
}

function nameOf(functionUid: string, revision: string): string {
  return `${functionUid}/${revision}`;
}
