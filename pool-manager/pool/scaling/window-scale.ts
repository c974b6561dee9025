import type { WindowScaling } from "../../functions/function.ts";

/** Percentage of the instances' target that the panic window's load must reach for a panic. */
const PANIC_THRESHOLD = 200;

/** A panic of a revision: its load has grown faster than the window's average shows. */
export interface Panic {
  /** When the load was last above the threshold. */
  lastAt: number;
  /** The most instances that it has wanted. */
  peak: number;
}

/** The load that the number of instances depends on, apart from the policy. */
export interface WindowLoad {
  now: number;
  /** Average concurrency of the window and of the panic window. */
  stable: number;
  panic: number;
  /** Simultaneous invocations that an instance may have. */
  concurrency: number;
  /** Instances that serve. */
  ready: number;
}

export interface WindowChoice {
  wanted: number;
  panic: Panic | null;
}

/**
 * The number of instances that the windows' averages want, as the autoscaler of Knative chooses it: as many as keep each
 * instance at `target` percent of its concurrency. `before`: the panic that the last choice returned.
 *
 * | the panic window wants | and | the choice |
 * |---|---|---|
 * | at least twice the instances that serve | | its number, or a higher one since the panic began |
 * | less | the last such moment is within the window | the panic's number: nothing shrinks |
 * | less | it is longer ago, or there was none | the window's number |
 */
export function chooseByWindow(policy: WindowScaling, load: WindowLoad, before: Panic | null): WindowChoice {
  const { now } = load;
  const ready = Math.max(1, load.ready);
  const stable = instancesFor(load.stable, policy, load);
  const panic = instancesFor(load.panic, policy, load);
  const isOver = panic * 100 >= ready * PANIC_THRESHOLD;
  const lastAt = isOver ? now : before?.lastAt;
  if (lastAt === undefined || now - lastAt >= policy.windowMs) return { wanted: bounded(stable, policy, ready), panic: null };
  const peak = Math.max(bounded(Math.max(stable, panic), policy, ready), before?.peak ?? 0);
  return { wanted: peak, panic: { lastAt, peak } };
}

/** The most instances that a revision may have next, by `maxScaleUpRate`. */
export function mostNext({ maxScaleUpRate }: WindowScaling, ready: number): number {
  return Math.ceil(maxScaleUpRate * Math.max(1, ready));
}

function instancesFor(average: number, { target }: WindowScaling, { concurrency }: WindowLoad): number {
  // Rounding errors of the average start no instance.
  return average > 0 ? Math.max(1, Math.ceil((average * 100) / (target * concurrency) - 1e-9)) : 0;
}

function bounded(wanted: number, policy: WindowScaling, ready: number): number {
  const least = wanted > 0 ? Math.max(wanted, policy.activationScale) : 0;
  return Math.min(least, mostNext(policy, ready));
}
