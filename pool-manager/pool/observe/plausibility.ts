import { holdsPlace, type Instance } from "../../platform/platform.ts";
import type { PoolSpec } from "../decide/world.ts";

/** Time without an implausible observation after which a pool is trusted again. */
export const PLAUSIBLE_AFTER_MS = 30_000;
/** How long the two views of the platform may differ. */
const LAG_MS = 3000;

/** The input of one check. */
export interface CheckInput {
  instances: ReadonlyMap<string, Pick<Instance, "pool" | "echo" | "removing" | "isCounted" | "obstacle">>;
  /** Number of instances by pool as counted by the platform's controllers; undefined if there are none. */
  counted: ReadonlyMap<string, number> | undefined;
  /** True if the pool manager decided to remove it. */
  isLeaving(uid: string): boolean;
  /** Instances that were requested and had not been observed before, by pool. */
  expected: ReadonlyMap<string, number>;
  now: number;
}

interface State {
  uids: Map<string, { ended: boolean }>;
  /** When instances vanished or appeared without a known reason. */
  vanished: number[];
  appeared: number[];
  /** Since when the controllers' count has differed; null if it agrees. */
  differsSince: number | null;
  doubtedAt: number;
  reason: string;
}

/**
 * Checks whether the observation of a pool is plausible. A wrong observation (an empty cache, a listing of half of the
 * pods, foreign pods with Berth's labels) shows as more changes at once than were requested. A pool is doubted if more
 * instances vanish or appear within a window than its budget allows the pool manager itself.
 */
export class PlausibilityCheck {
  readonly #pools = new Map<string, State>();

  /** Checks an observation; returns why pools are doubted, by name. */
  check(pools: readonly PoolSpec[], input: CheckInput): Map<string, string> {
    const doubted = new Map<string, string>();
    for (const pool of pools) {
      const reason = this.#inspect(pool, input);
      if (reason) doubted.set(pool.name, reason);
    }
    return doubted;
  }

  #inspect({ name, budget }: PoolSpec, { instances, counted, isLeaving, expected, now }: CheckInput): string | null {
    const own = [...instances].filter(([, { pool }]) => pool === name);
    const uids = new Map(own.map(([uid, instance]) => [uid, { ended: isLeaving(uid) || hasEnded(instance) }]));
    const state = this.#pools.get(name);
    if (!state) {
      this.#pools.set(name, { uids, vanished: [], appeared: [], differsSince: null, doubtedAt: Number.NEGATIVE_INFINITY, reason: "" });
      return null;
    }
    const gone = [...state.uids].filter(([uid, { ended }]) => !uids.has(uid) && !ended && !isLeaving(uid)).length;
    const fresh = [...uids.keys()].filter((uid) => !state.uids.has(uid)).length;
    const recent = (times: number[], more: number) => [...times.filter((at) => now - at < budget.windowMs), ...Array<number>(Math.max(0, more)).fill(now)];
    state.uids = uids;
    state.vanished = recent(state.vanished, gone);
    state.appeared = recent(state.appeared, fresh - (expected.get(name) ?? 0));
    // Controllers do not count instances that are being deleted, have ended or have no owner.
    const staying = own.filter(([, instance]) => instance.isCounted && !instance.removing && holdsPlace(instance)).length;
    const count = counted ? (counted.get(name) ?? 0) : staying;
    const differs = Math.abs(count - staying) > budget.actions;
    state.differsSince = differs ? (state.differsSince ?? now) : null;
    const reason = implausibility(state, count, staying, budget.actions, now);
    if (reason) Object.assign(state, { doubtedAt: now, reason });
    return now - state.doubtedAt < PLAUSIBLE_AFTER_MS ? state.reason : null;
  }
}

function implausibility({ vanished, appeared, differsSince }: State, counted: number, listed: number, most: number, now: number): string | null {
  if (vanished.length > most) return `${vanished.length} instances vanished at once without having been removed`;
  if (appeared.length > most) return `${appeared.length} instances appeared at once without having been requested`;
  if (differsSince !== null && now - differsSince > LAG_MS) return `${listed} instances are listed, but their controllers count ${counted}`;
  return null;
}

function hasEnded({ echo, removing, obstacle }: Pick<Instance, "echo" | "removing" | "obstacle">): boolean {
  return removing || obstacle?.kind === "ended" || echo?.state === "failed" || echo?.state === "gone" || echo?.state === "draining";
}
