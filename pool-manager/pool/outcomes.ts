import type { DemandReport } from "../client/contract.ts";

export interface Counts {
  ended: number;
  failed: number;
}

interface Last extends Counts {
  name: string;
  seq: number;
}

const NONE: Counts = { ended: 0, failed: 0 };

/** Most (router, revision) pairs that are kept. */
const MAX_LAST = 100_000;

/**
 * How invocations of each revision have ended since this pool manager leads, over all routers: they report running totals
 * of their own. What a router had counted before is where its count begins, and no evidence of what happens now.
 */
export class Outcomes {
  readonly #since: number;
  readonly #last = new Map<string, Last>();
  readonly #sums = new Map<string, Counts>();

  /** `since`: when this pool manager began to lead. */
  constructor(since: number) {
    this.#since = since;
  }

  hear({ router, seq, functions }: DemandReport, now: number): void {
    for (const { key, revision, ended, failed, countedMs } of functions) {
      const id = `${router}/${key}/${revision}`;
      const last = this.#last.get(id);
      if (last && last.seq >= seq) continue;
      const name = nameOf(key.split("@")[0] ?? "", revision);
      this.#remember(id, { name, ended, failed, seq });
      if (!last && !(countedMs !== undefined && now - countedMs >= this.#since)) continue;
      // A router that serves a revision anew begins again.
      const since = last && last.ended <= ended ? last : NONE;
      const sum = this.#sums.get(name) ?? NONE;
      this.#sums.set(name, { ended: sum.ended + ended - since.ended, failed: sum.failed + failed - since.failed });
    }
  }

  of(functionUid: string, revision: string): Counts {
    return this.#sums.get(nameOf(functionUid, revision)) ?? NONE;
  }

  /** Drops what is known of revisions that are not served any more. A router's count stays however long it is silent: it goes on there. */
  retain(isServed: (functionUid: string, revision: string) => boolean): void {
    const isOver = (name: string) => !isServed(...(name.split("/") as [string, string]));
    for (const name of this.#sums.keys()) if (isOver(name)) this.#sums.delete(name);
    for (const [id, { name }] of this.#last) if (isOver(name)) this.#last.delete(id);
  }

  /** Where there are too many, those that were heard longest ago are forgotten. */
  #remember(id: string, last: Last): void {
    this.#last.delete(id);
    this.#last.set(id, last);
    for (const oldest of this.#last.keys()) {
      if (this.#last.size <= MAX_LAST) break;
      this.#last.delete(oldest);
    }
  }
}

function nameOf(functionUid: string, revision: string): string {
  return `${functionUid}/${revision}`;
}
