import type { HistoryRecord, Part, RecordOf } from "../history.ts";

/** Longest that an answer of the manage API waits for routers; one that took as long may have been given before they knew. */
const CONFIRM_MS = 900;
/** After a fault, or an answer without confirmation: until routers have heard the pool manager again. */
export const SETTLE_MS = 4000;
/** The effect of a fault may be noticed this much later: a silent connection is given up after five seconds. */
const NOTICE_MS = 6000;

export interface Fault {
  id: string;
  what: string;
  ends: readonly Part[];
  stalls: readonly Part[];
  from: number;
  /** Infinity: it has never been undone. */
  to: number;
}

interface Possible {
  tag: string;
  from: number;
  /** From then on the API has said that it is not so. */
  to: number;
  confirmed: boolean;
}

/** The faults of a run and their times. */
export class Faults {
  readonly all: readonly Fault[];
  /** Results of `knownAt` by router and time: a run of an hour asks for the same ones repeatedly. */
  readonly #known = new Map<string, number>();

  constructor(records: readonly HistoryRecord[]) {
    const found = new Map<string, Fault>();
    for (const record of records) {
      if (record.type === "fault") {
        const { fault: id, what, ends, stalls, at } = record;
        found.set(id, { id, what, ends, stalls, from: at, to: Number.POSITIVE_INFINITY });
      }
      const known = record.type === "fault-over" ? found.get(record.fault) : undefined;
      if (known) known.to = record.at;
    }
    this.all = [...found.values()];
  }

  /** A fault that may have ended such a part within this time. */
  ended(isPart: (part: Part) => boolean, from: number, to: number): Fault | undefined {
    return this.all.find((fault) => fault.from <= to && fault.ends.some(isPart) && this.#noticedAt(fault) >= from);
  }

  /** While the cluster is away, no process notices the state of its pods. */
  #noticedAt({ to, ends }: Fault): number {
    let noticed = to + NOTICE_MS;
    if (!ends.some((part) => part.startsWith("instance:"))) return noticed;
    for (const other of this.all) {
      if (other.stalls.includes("cluster") && other.from <= noticed && other.to >= to) noticed = Math.max(noticed, other.to + NOTICE_MS);
    }
    return noticed;
  }

  /** Any fault within this time. */
  during(from: number, to: number): Fault | undefined {
    return this.all.find((fault) => fault.from <= to && fault.to >= from);
  }

  /** From when on this router surely knows what the pool manager has answered at that time. */
  knownAt(at: number, router: string): number {
    const key = `${at} ${router}`;
    const found = this.#known.get(key) ?? this.#findKnownAt(at, router);
    this.#known.set(key, found);
    return found;
  }

  #findKnownAt(at: number, router: string): number {
    let known = at;
    for (const { from, to, ends, stalls } of this.all) {
      const cutsOff = [...ends, ...stalls].some((part) => part === "manager" || part === `router:${router}`);
      if (cutsOff && from <= at && at <= to + SETTLE_MS) known = Math.max(known, to + SETTLE_MS);
    }
    return known;
  }
}

/** The tags that a function may have had at each time. */
export class Revisions {
  readonly #possible = new Map<string, Possible[]>();
  readonly #changes = new Map<string, { begun: number; done: number }[]>();
  readonly #faults: Faults;

  constructor(records: readonly HistoryRecord[], faults: Faults) {
    this.#faults = faults;
    for (const record of records) {
      if (record.type === "change") this.#open(record);
      if (record.type === "changed") this.#close(record);
    }
  }

  /** Every tag that an invocation at this router, within this time, may have met. */
  within(name: string, router: string, from: number, to: number): Set<string> {
    const tags = new Set<string>();
    for (const possible of this.#possible.get(name) ?? []) {
      if (possible.from > to) break;
      const end = this.#faults.knownAt(possible.confirmed ? possible.to : possible.to + SETTLE_MS, router);
      if (end >= from) tags.add(possible.tag);
    }
    return tags;
  }

  /** Whether anybody changes it within this time, or has a moment before: instances follow within seconds. */
  changes(name: string, from: number, to: number): boolean {
    return (this.#changes.get(name) ?? []).some(({ begun, done }) => begun <= to && done + SETTLE_MS >= from);
  }

  #open({ function: name, may, at }: RecordOf<"change">): void {
    const known = this.#possible.get(name) ?? [];
    this.#possible.set(name, known);
    this.#changes.set(name, [...(this.#changes.get(name) ?? []), { begun: at, done: at }]);
    for (const tag of may) {
      if (known.some((possible) => possible.tag === tag && possible.to === Number.POSITIVE_INFINITY)) continue;
      known.push({ tag, from: at, to: Number.POSITIVE_INFINITY, confirmed: true });
    }
  }

  #close({ function: name, now, at, tookMs }: RecordOf<"changed">): void {
    const last = this.#changes.get(name)?.at(-1);
    if (last) last.done = at;
    if (now === null) return;
    for (const possible of this.#possible.get(name) ?? []) {
      if (possible.to !== Number.POSITIVE_INFINITY || now.includes(possible.tag)) continue;
      possible.to = at;
      possible.confirmed = tookMs < CONFIRM_MS;
    }
  }
}
