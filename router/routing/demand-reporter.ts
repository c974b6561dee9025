import {
  DEMAND_EXPIRY_MS,
  DEMAND_REPEAT_MS,
  type DemandReport,
  type FunctionDemand,
  type FunctionUsage,
  type Suspect,
} from "../../pool-manager/client/contract.ts";

/** The minimum interval between two reports. */
const MIN_GAP_MS = 10;
/** How long a change that affects no decision waits, such as one more invocation on an instance with free slots. */
const LAZY_MS = 200;

interface Source {
  key: string;
  demand(): FunctionDemand;
}

/**
 * Reports demand to the pool manager: urgent changes at most every 10 ms, others within 200 ms, and everything each second,
 * so that a lost report heals. Demand of a revision with neither instances nor invocations is repeated once only: most
 * functions are idle, and the pool manager forgets demand that is no longer reported.
 */
export class DemandReporter {
  readonly #router: string;
  readonly #report: (report: DemandReport) => void;
  readonly #usage: () => FunctionUsage[];
  readonly #now: () => number;
  readonly #after: (ms: number, fn: () => void) => () => void;
  readonly #sources = new Map<string, Source>();
  readonly #dirty = new Set<string>();
  /** Keys that the next repetition reports. */
  readonly #repeated = new Set<string>();
  readonly #suspects = new Map<string, Suspect & { at: number }>();
  #seq = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  #cancelGap: (() => void) | null = null;
  #gapIsShort = false;
  #cancelRepeat: () => void = () => {};

  /** `usage` takes the counts of the time since its last call. */
  constructor(
    router: string,
    report: (report: DemandReport) => void,
    now: () => number,
    after: (ms: number, fn: () => void) => () => void,
    usage: () => FunctionUsage[] = () => [],
  ) {
    this.#router = router;
    this.#usage = usage;
    this.#report = report;
    this.#now = now;
    this.#after = after;
  }

  start(): void {
    this.#cancelRepeat = this.#after(DEMAND_REPEAT_MS, () => {
      for (const key of this.#repeated) this.#dirty.add(key);
      this.#send(true);
      this.start();
    });
  }

  stop(): void {
    this.#cancelRepeat();
    this.#cancelGap?.();
  }

  add(source: Source): void {
    this.#sources.set(source.key, source);
    this.again(source.key);
  }

  /** Reports this key with the next repetition: its instances may have changed. */
  again(key: string): void {
    this.#repeated.add(key);
  }

  delete(key: string): void {
    this.#sources.delete(key);
    this.#dirty.delete(key);
    this.#repeated.delete(key);
  }

  /** `urgent`: the number of instances that are needed may have changed. */
  changed(key: string, urgent: boolean): void {
    this.#dirty.add(key);
    this.#repeated.add(key);
    if (this.#cancelGap && (!urgent || this.#gapIsShort)) return;
    const wait = this.#lastAt + (urgent ? MIN_GAP_MS : LAZY_MS) - this.#now();
    this.#cancelGap?.();
    this.#cancelGap = null;
    if (wait <= 0) return this.#send();
    this.#gapIsShort = urgent;
    this.#cancelGap = this.#after(wait, () => this.#send());
  }

  /** Reports an instance that did not answer in time or could not be reached. */
  suspect(suspect: Suspect): void {
    this.#suspects.set(suspect.uid, { ...suspect, at: this.#now() });
    this.#send();
  }

  /** Sends a repetition even if it is empty: the pool manager takes a router that is silent for long for gone. */
  #send(isRepetition = false): void {
    this.#cancelGap?.();
    this.#cancelGap = null;
    this.#lastAt = this.#now();
    const functions: FunctionDemand[] = [];
    for (const key of this.#dirty) {
      const source = this.#sources.get(key);
      if (!source) continue;
      const demand = source.demand();
      functions.push(demand);
      if (isRepetition && isIdle(demand)) this.#repeated.delete(key);
    }
    this.#dirty.clear();
    for (const [uid, { at }] of this.#suspects) if (this.#lastAt - at > DEMAND_EXPIRY_MS) this.#suspects.delete(uid);
    const suspects = [...this.#suspects.values()].map(({ uid, bootId, reason }) => ({ uid, bootId, reason }));
    if (functions.length === 0 && suspects.length === 0 && !isRepetition) return;
    const usage = isRepetition ? this.#usage() : [];
    this.#report({ router: this.#router, seq: ++this.#seq, functions, suspects, ...(usage.length > 0 && { usage }) });
  }
}

function isIdle({ waiting, inFlight, instances }: FunctionDemand): boolean {
  return waiting === 0 && inFlight === 0 && instances.length === 0;
}
