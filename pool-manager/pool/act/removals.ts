import type { Instance } from "../../platform/platform.ts";
import type { Action } from "../decide/world.ts";
import type { ReconcilerOptions } from "../options.ts";
import type { Incident } from "./incidents.ts";
import { Disruptions, RemovalProgress } from "./removal-progress.ts";

type Remove = Extract<Action, { kind: "remove" }>;
type Subject = Pick<Incident, "action" | "pool" | "functionUid">;

/** Receives the outcome of each platform action. */
interface ActionOutcomes {
  succeeded(subject: Subject): void;
  failed(subject: Subject, error: unknown): void;
}

/** Executes removals: drains, then deletes, and retries both. */
export class Removals {
  readonly disruptions = new Disruptions();
  readonly #leaving = new RemovalProgress();
  readonly #options: Pick<ReconcilerOptions, "platform" | "clock" | "onEvent">;
  readonly #changed: () => void;
  readonly #outcomes: ActionOutcomes;

  constructor(options: Pick<ReconcilerOptions, "platform" | "clock" | "onEvent">, changed: () => void, outcomes: ActionOutcomes) {
    this.#options = options;
    this.#changed = changed;
    this.#outcomes = outcomes;
  }

  /** Deletes instances that have drained, except in paused pools. */
  observe(instances: ReadonlyMap<string, Instance>, isPaused: (pool: string) => boolean, now: number): void {
    this.#leaving.observe(instances);
    const isGone = (uid: string) => instances.get(uid)?.echo?.state === "gone";
    for (const uid of this.#leaving.due(isGone, now)) {
      const instance = instances.get(uid) as Instance;
      if (!isPaused(instance.pool)) void this.#delete(instance);
    }
  }

  has(uid: string): boolean {
    return this.#leaving.has(uid);
  }

  /** True if its drain failed: its removal is decided anew. */
  isRefused(uid: string): boolean {
    return this.#leaving.isRefused(uid);
  }

  /** Returns the instances that stay: their drain failed, and their removal is not among `decided`. */
  takeBack(decided: readonly Action[]): string[] {
    return this.#leaving.takeBack(new Set(decided.flatMap((action) => (action.kind === "remove" ? [action.instance.uid] : []))));
  }

  /** Begins a removal, or continues one whose drain failed. */
  remove(action: Remove, now: number): void {
    if (this.isRefused(action.instance.uid)) this.#retry(action, now);
    else this.#begin(action, now);
  }

  #begin({ instance, reason, drainMs }: Remove, now: number): void {
    const { uid, pool } = instance;
    const functionUid = instance.functionUid ?? instance.boundTo;
    this.disruptions.record(pool, now);
    this.#leaving.add(uid, drainMs, now);
    this.#options.onEvent({ type: "instance.removing", pool, instance: uid, function: functionUid, reason });
    const observed = this.#options.platform.observe().instances.get(uid);
    if (!observed) return;
    if (drainMs > 0) this.#drain(observed, functionUid, drainMs);
    else void this.#delete(observed);
  }

  /** Retries a failed drain, or deletes once its time is over: an instance that cannot be drained gets no new invocations, and the same time for those in flight. */
  #retry({ instance, drainMs }: Remove, now: number): void {
    const { uid } = instance;
    const observed = this.#options.platform.observe().instances.get(uid);
    if (!observed) return;
    const next = drainMs > 0 ? this.#leaving.next(uid, observed.echo?.state === "gone", now) : "delete";
    if (next === "delete") void this.#delete(observed);
    if (next !== "drain") return;
    this.#leaving.asked(uid);
    this.#drain(observed, instance.functionUid ?? instance.boundTo, drainMs);
  }

  #drain({ uid, pool }: Instance, functionUid: string | null, drainMs: number): void {
    const { platform, clock } = this.#options;
    const subject = { action: "drain", pool, functionUid } as const;
    platform.drain(uid, drainMs).then(
      () => {
        this.#leaving.accepted(uid, drainMs, clock.now());
        this.#outcomes.succeeded(subject);
      },
      (error) => {
        this.#leaving.refused(uid, clock.now());
        this.#outcomes.failed(subject, error);
        this.#changed();
      },
    );
    clock.after(drainMs + 300, this.#changed);
  }

  async #delete({ uid, resourceVersion, pool, binding }: Instance): Promise<void> {
    const { platform, clock } = this.#options;
    const subject = { action: "remove", pool, functionUid: binding?.functionUid ?? null } as const;
    this.#leaving.sent(uid);
    try {
      await platform.remove({ uid, resourceVersion });
      this.#leaving.taken(uid);
      this.#outcomes.succeeded(subject);
    } catch (error) {
      this.#outcomes.failed(subject, error);
      clock.after(this.#leaving.failed(uid, clock.now()), this.#changed);
    }
  }
}
