import type { RevisionTarget, WindowScale, World } from "../decide/world.ts";
import { LoadWindow } from "./load-window.ts";
import { TimeBuckets } from "./time-buckets.ts";
import { chooseByWindow, mostNext, type Panic } from "./window-scale.ts";

/** A scale-down delay is measured in so many parts. */
const DELAY_BUCKETS = 30;

/** The window of one served revision. */
interface Entry {
  revision: string;
  load: LoadWindow;
  panic: Panic | null;
  /** The numbers that the windows wanted or the present demand took within the scale-down delay; null: there is no delay. */
  recent: TimeBuckets | null;
  delayMs: number;
}

type Windowed = RevisionTarget & { windowScaling: NonNullable<RevisionTarget["windowScaling"]> };

/** The windows of all revisions with `windowScaling` that have instances, demand or a minimum scale: about 1 kB for each. */
export class FunctionWindows {
  #entries = new Map<string, Entry>();
  /** The last scales that were returned, by key. */
  scales: ReadonlyMap<string, WindowScale> = new Map();

  get size(): number {
    return this.#entries.size;
  }

  /**
   * Samples the demand of a world; returns what the windows say, by key. Of the world, `windowScales` is not read. An
   * incomplete world is not sampled: functions would seem to have no instances, and thus no load before.
   */
  observe(world: World): ReadonlyMap<string, WindowScale> {
    if (!world.synced) return this.scales;
    const targets = world.functions.filter(isWindowed);
    const own = targets.length > 0 ? countOwn(world) : new Map<string, Own>();
    const entries = new Map<string, Entry>();
    const scales = new Map<string, WindowScale>();
    for (const target of targets) {
      const { all, ready } = own.get(target.key) ?? { all: 0, ready: 0 };
      const entry = this.#entryOf(target, world.now, all === 0);
      const { waiting = 0, inFlight = 0 } = world.demand.get(target.key) ?? {};
      entry.load.sample(world.now, waiting + inFlight);
      entry.recent?.raise(world.now, Math.ceil((waiting + inFlight) / target.concurrency));
      entries.set(target.key, entry);
      scales.set(target.key, scaleOf(entry, target, world.now, ready));
    }
    this.#entries = entries;
    this.scales = scales;
    return scales;
  }

  #entryOf({ key, uid, active, revision, windowScaling }: Windowed, now: number, isNew: boolean): Entry {
    const { windowMs, scaleDownDelayMs } = windowScaling;
    const known = this.#entries.get(key);
    const entry = known?.load.windowMs === windowMs ? known : newEntry(revision, new LoadWindow(windowMs, now, isNew));
    if (entry.revision !== revision) {
      const before = active ? this.#entries.get(`${uid}@${revision}`) : undefined;
      if (before?.load.windowMs === windowMs) {
        entry.load.sample(now, 0);
        entry.load.add(before.load);
      }
      entry.revision = revision;
    }
    if (entry.delayMs !== scaleDownDelayMs) {
      entry.delayMs = scaleDownDelayMs;
      entry.recent = scaleDownDelayMs > 0 ? new TimeBuckets(DELAY_BUCKETS, scaleDownDelayMs / DELAY_BUCKETS) : null;
    }
    return entry;
  }
}

function newEntry(revision: string, load: LoadWindow): Entry {
  return { revision, load, panic: null, recent: null, delayMs: 0 };
}

function isWindowed(target: RevisionTarget): target is Windowed {
  return target.windowScaling !== null;
}

function scaleOf(entry: Entry, { windowScaling, concurrency }: Windowed, now: number, ready: number): WindowScale {
  const averages = entry.load.averages();
  const choice = chooseByWindow(windowScaling, { now, ...averages, concurrency, ready }, entry.panic);
  entry.panic = choice.panic;
  entry.recent?.raise(now, choice.wanted);
  const wanted = entry.recent?.max(now) ?? choice.wanted;
  const idleForMs = entry.load.isFull ? entry.load.panicMs : Number.POSITIVE_INFINITY;
  return { ...averages, panicking: choice.panic !== null, wanted, most: mostNext(windowScaling, ready), idleForMs };
}

/** A revision's instances, and those of them that serve. */
interface Own {
  all: number;
  ready: number;
}

/** Instances by the key of the revision that they serve, or else of their function's active one. */
function countOwn({ instances, functions }: World): Map<string, Own> {
  const keys = new Map(functions.map(({ uid, revision, key }) => [`${uid} ${revision}`, key]));
  const counts = new Map<string, Own>();
  for (const { state, functionUid, revision, boundTo, removing } of instances) {
    const uid = functionUid ?? boundTo;
    if (uid === null || removing) continue;
    const key = keys.get(`${uid} ${revision}`) ?? uid;
    const count = counts.get(key) ?? { all: 0, ready: 0 };
    counts.set(key, { all: count.all + 1, ready: count.ready + (state === "warm" ? 1 : 0) });
  }
  return counts;
}
