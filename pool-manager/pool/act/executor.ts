import { type Instance, isAdopted, type OpenOrder, PlatformError } from "../../platform/platform.ts";
import type { Action, InstanceView, World } from "../decide/world.ts";
import { Expectations } from "../observe/expectations.ts";
import { Starts } from "../observe/starts.ts";
import type { ReconcilerOptions } from "../options.ts";
import { Attempts, doubled } from "./attempts.ts";
import { FencingRefusals } from "./fencing.ts";
import type { Incidents } from "./incidents.ts";
import { Removals } from "./removals.ts";

type Of<K extends Action["kind"]> = Extract<Action, { kind: K }>;

/** Minimum time before a refused or lost load order to an instance is retried. */
const REFUSED_PAUSE_MS = 50;
/** The same, if its state did not allow the order. Runtimes of earlier versions accept none while code loads. */
const STATE_PAUSE_MS = 1000;
/** Backoff of a failed request for instances: it doubles between these bounds. */
const FIRST_SCALE_PAUSE_MS = 250;
const LONGEST_SCALE_PAUSE_MS = 5000;
/** Longest backoff while instances end during their start. Must be shorter than `OVER_AFTER_MS` of incidents.ts, after which the failures are forgotten. */
const LONGEST_START_PAUSE_MS = 30_000;
/** Backoff of a failed bind: it doubles between these bounds. */
const FIRST_BIND_PAUSE_MS = 10;
const LONGEST_BIND_PAUSE_MS = 15_000;

/** Executes actions, each with its precondition, and remembers its writes until they are observed. */
export class Executor {
  readonly expectations = new Expectations();
  readonly attempts: Attempts;
  readonly incidents: Incidents;
  readonly starts = new Starts();
  readonly removals: Removals;
  readonly #binding = new Set<string>();
  readonly #bindFailures = new Map<string, number>();
  readonly #fenced = new FencingRefusals();
  /** Instances that did not answer a load order, or will never accept one from this leader. */
  readonly #silent = new Set<string>();
  /** Time before which a pool's failed request for instances is not retried, by pool. */
  readonly #scaleAfter = new Map<string, number>();
  /** Instances that ended before their first echo and are already counted. */
  readonly #failedStarts = new Set<string>();
  readonly #pools = new Map<string, string>();
  readonly #options: ReconcilerOptions;
  readonly #changed: () => void;
  readonly #undeliverable: (functionUid: string, revision: string, error: Error) => void;

  /** `undeliverable` is called if a load order could not be built: its code or its revision is missing. */
  constructor(options: ReconcilerOptions, changed: () => void, undeliverable: (functionUid: string, revision: string, error: Error) => void) {
    this.#options = options;
    this.attempts = new Attempts(options);
    this.incidents = this.attempts.incidents;
    this.#changed = changed;
    this.#undeliverable = undeliverable;
    this.removals = new Removals(options, changed, this.attempts);
  }

  /** Updates expectations and incidents from the observation, and deletes instances that have drained. */
  observe(instances: ReadonlyMap<string, Instance>, isPaused: (pool: string) => boolean, now: number): void {
    this.expectations.observe(instances, now);
    this.incidents.expire(now);
    for (const [uid, instance] of instances) {
      this.#pools.set(uid, instance.pool);
      if (failedToStart(instance) && !this.#failedStarts.has(uid) && !this.isLeaving(uid)) this.#startFailed(instance, now);
    }
    this.removals.observe(instances, isPaused, now);
  }

  /** Ends the pool's `start` incident: an instance has become prewarmed. */
  started(pool: string): void {
    this.attempts.succeeded({ action: "start", pool, functionUid: null });
  }

  /** Delays the pool's next request, since a further instance may fail for the same reason, such as a node that rejects it. */
  #startFailed({ uid, pool, obstacle }: Instance, now: number): void {
    const subject = { action: "start", pool, functionUid: null } as const;
    this.#failedStarts.add(uid);
    this.attempts.failed(subject, new PlatformError("REFUSED", obstacle?.message ?? ""));
    const pause = doubled(FIRST_SCALE_PAUSE_MS, this.incidents.failures(subject), LONGEST_START_PAUSE_MS);
    this.#scaleAfter.set(pool, Math.max(this.#scaleAfter.get(pool) ?? 0, now + pause));
    this.#options.clock.after(pause, this.#changed);
  }

  /** Returns instances that stay: their drain failed, and their removal is no longer decided. */
  execute(actions: readonly Action[], world: World): string[] {
    const kept = world.synced ? this.removals.takeBack(actions) : [];
    for (const action of actions) {
      if (action.kind === "specialize") void this.#specialize(action, world.now);
      else if (action.kind === "scale") void this.#scale(action, world);
      else if (action.kind === "bind") void this.#bind(action);
      else this.removals.remove(action, world.now);
    }
    return kept;
  }

  isLeaving(uid: string): boolean {
    return this.removals.has(uid);
  }

  isSilent(uid: string): boolean {
    return this.#silent.has(uid);
  }

  isBinding(uid: string): boolean {
    return this.#binding.has(uid);
  }

  poolOf(uid: string): string {
    return this.#pools.get(uid) ?? "";
  }

  forget(uid: string): void {
    this.starts.forget(uid);
    this.#pools.delete(uid);
    this.#silent.delete(uid);
    this.#fenced.forget(uid);
    this.#failedStarts.delete(uid);
    this.#bindFailures.delete(uid);
  }

  async #specialize(action: Of<"specialize">, now: number): Promise<void> {
    const { instance, functionUid, revision, start } = action;
    const { clock } = this.#options;
    if (start === "warm") this.removals.disruptions.record(instance.pool, now);
    const epoch = instance.epoch + 1;
    this.expectations.expectClaim(instance.uid, { functionUid, revision, epoch }, now);
    this.starts.ordered(instance.uid, { kind: start, epoch, at: now, functionUid });
    const refusal = await this.#send(action, now).catch((error: Error) => this.#lost(action, error));
    if (refusal === null) {
      this.expectations.claimSettled(instance.uid);
      this.#changed();
      return;
    }
    clock.after(refusal === "state" ? STATE_PAUSE_MS : REFUSED_PAUSE_MS, () => {
      this.expectations.claimSettled(instance.uid);
      this.#changed();
    });
  }

  /** Resolves with why the order was refused; null: it was accepted. */
  async #send({ instance, functionUid, revision, start }: Of<"specialize">, now: number): Promise<string | null> {
    const { platform, clock, onEvent } = this.#options;
    const { pool, uid } = instance;
    const order = this.#order(instance, functionUid, revision);
    const answer = await platform.load(order, await this.#options.layer(order.digest));
    const about = { pool, instance: uid, function: functionUid };
    if (answer.accepted) {
      this.#fenced.forget(uid);
      onEvent({ type: "instance.specialized", ...about, revision, start, ms: clock.now() - now });
      return null;
    }
    onEvent({ type: "order.refused", ...about, refusal: answer.refusal });
    // Treated as unresponsive: it is drained and replaced.
    if (answer.refusal === "term" && this.#fenced.refused(uid)) this.#silent.add(uid);
    return answer.refusal;
  }

  /** The instance may have accepted although the answer was lost; its echo shows that. An unreachable one is replaced. */
  #lost({ instance, functionUid, revision }: Of<"specialize">, error: Error): "lost" {
    const { pool, uid } = instance;
    const code = (error as Partial<PlatformError>).code;
    this.#options.onEvent({ type: "order.refused", pool, instance: uid, function: functionUid, refusal: code ?? error.message });
    if (code === "UNREACHABLE") this.#silent.add(uid);
    if (code === undefined) this.#undeliverable(functionUid, revision, error);
    return "lost";
  }

  #order(instance: InstanceView, functionUid: string, id: string): OpenOrder {
    const { functions, term } = this.#options;
    const record = functions.byUid(functionUid);
    const revision = record?.revisions.find((candidate) => candidate.id === id);
    if (!record || !revision) throw new Error(`function ${functionUid} has no revision ${id} any more`);
    return {
      uid: instance.uid,
      bootId: instance.bootId,
      epoch: instance.epoch,
      functionUid,
      functionName: record.name,
      revision: id,
      digest: revision.layer,
      term,
      loadTimeoutMs: revision.loadTimeoutMs,
      settings: revision.settings,
      env: functions.environment(functionUid, revision),
    };
  }

  async #scale({ pool, seen, more, create }: Of<"scale">, world: World): Promise<void> {
    const { platform, clock, onEvent } = this.#options;
    const spec = world.pools.find((candidate) => candidate.name === pool);
    if (!spec || clock.now() < (this.#scaleAfter.get(pool) ?? 0)) return;
    this.expectations.expectCreations(pool, create, world.now);
    onEvent({ type: "instance.creating", pool, count: create });
    const subject = { action: "scale", pool, functionUid: null } as const;
    try {
      await platform.scalePool({ name: pool, runtime: spec.runtime, max: spec.max }, { seen, more });
      this.attempts.succeeded(subject);
    } catch (error) {
      this.attempts.failed(subject, error);
      this.expectations.creationFailed(pool, create);
      const pause = doubled(FIRST_SCALE_PAUSE_MS, this.incidents.failures(subject), LONGEST_SCALE_PAUSE_MS);
      this.#scaleAfter.set(pool, clock.now() + pause);
      clock.after(pause, this.#changed);
      return;
    }
    this.#changed();
  }

  async #bind({ instance, functionUid, revision }: Of<"bind">): Promise<void> {
    const { uid, resourceVersion, pool } = instance;
    const subject = { action: "bind", pool, functionUid } as const;
    this.#binding.add(uid);
    try {
      await this.#options.platform.bind({ uid, resourceVersion }, { functionUid, revision });
      this.#bindFailures.delete(uid);
      this.#binding.delete(uid);
      this.attempts.succeeded(subject);
    } catch (error) {
      this.attempts.failed(subject, error);
      // The record has changed, or the platform cannot write it; the instance serves meanwhile.
      const failures = (this.#bindFailures.get(uid) ?? 0) + 1;
      this.#bindFailures.set(uid, failures);
      const pause = doubled(FIRST_BIND_PAUSE_MS, failures, LONGEST_BIND_PAUSE_MS);
      this.#options.clock.after(pause, () => {
        this.#binding.delete(uid);
        this.#changed();
      });
    }
  }
}

/** True if it was created under this leader, is not being deleted, and ended before its first echo. */
function failedToStart(instance: Instance): boolean {
  return instance.obstacle?.kind === "ended" && instance.echo === null && !instance.removing && !isAdopted(instance);
}
