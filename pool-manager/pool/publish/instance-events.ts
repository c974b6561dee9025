import type { LoadError } from "../../../runtime-images/protocol/messages.ts";
import type { TableChange } from "../../client/contract.ts";
import { type Instance, isAdopted, type ObstacleKind } from "../../platform/platform.ts";
import type { Executor } from "../act/executor.ts";
import type { InvocationOutcomes } from "../observe/invocation-outcomes.ts";
import type { LoadFailures } from "../observe/load-failures.ts";
import type { ReconcilerOptions } from "../options.ts";

/** An obstacle is reported once it has lasted this long. */
const OBSTACLE_MS = 5000;

/** Reports each change of an instance's state once, and records load failures. */
export class InstanceEvents {
  readonly #options: Pick<ReconcilerOptions, "clock" | "onEvent" | "platform">;
  readonly #executor: Executor;
  readonly #failures: LoadFailures;
  readonly #outcomes: Pick<InvocationOutcomes, "of">;
  readonly #publish: (change: TableChange) => void;
  /** Last reported echo state of each instance. */
  readonly #noticed = new Map<string, string>();
  /** When each instance's code had loaded; null if before this pool manager started. */
  readonly #loadedAt = new Map<string, number | null>();
  /** Instances whose failed swap has been reported. */
  readonly #troubled = new Set<string>();
  /** The reported obstacle of each instance. */
  readonly #obstructed = new Map<string, ObstacleKind>();

  constructor(
    options: Pick<ReconcilerOptions, "clock" | "onEvent" | "platform">,
    executor: Executor,
    failures: LoadFailures,
    outcomes: Pick<InvocationOutcomes, "of">,
    publish: (change: TableChange) => void,
  ) {
    this.#options = options;
    this.#executor = executor;
    this.#failures = failures;
    this.#outcomes = outcomes;
    this.#publish = publish;
  }

  check(instance: Instance): void {
    const { echo, uid, pool, trouble } = instance;
    if (!echo) return;
    if (trouble && instance.binding) this.#swapFailed(instance, trouble);
    else this.#troubled.delete(uid);
    const mark = `${echo.state}/${echo.epoch}/${echo.error ? 1 : 0}`;
    if (this.#noticed.get(uid) === mark) return;
    const known = this.#noticed.get(uid);
    this.#noticed.set(uid, mark);
    const now = this.#options.clock.now();
    const { onEvent } = this.#options;
    if (echo.state === "prewarmed" && !known?.startsWith("prewarmed") && !isAdopted(instance)) {
      onEvent({ type: "instance.prewarmed", pool, instance: uid, ms: now - instance.createdAt });
      this.#executor.starts.learn(now - instance.createdAt);
      this.#executor.started(pool);
    }
    if (echo.error) this.#failed(instance, now);
    else if (echo.state === "warm" && echo.functionUid && echo.revision) {
      this.#loadedAt.set(uid, known === undefined && isAdopted(instance) ? null : now);
      this.#loaded(instance, now);
    }
  }

  /** Reports obstacles that have lasted for `OBSTACLE_MS`. */
  obstacles(instances: Iterable<Instance>, now: number): void {
    for (const { uid, pool, obstacle, echo, binding } of instances) {
      if (!obstacle) {
        this.#obstructed.delete(uid);
        continue;
      }
      const { kind, since, message } = obstacle;
      if (this.#obstructed.get(uid) === kind || now - since < OBSTACLE_MS) continue;
      this.#obstructed.set(uid, kind);
      const owner = echo?.functionUid ?? binding?.functionUid ?? null;
      this.#options.onEvent({ type: "instance.obstructed", pool, instance: uid, function: owner, obstacle: kind, message });
    }
  }

  gone(uid: string): void {
    this.#noticed.delete(uid);
    this.#loadedAt.delete(uid);
    this.#troubled.delete(uid);
    this.#obstructed.delete(uid);
    this.#options.onEvent({ type: "instance.gone", pool: this.#executor.poolOf(uid), instance: uid });
  }

  /** The platform cannot swap in the bound revision's image; the instance continues to serve. */
  #swapFailed({ uid, pool, binding }: Instance, message: string): void {
    if (this.#troubled.has(uid)) return;
    this.#troubled.add(uid);
    this.#options.onEvent({ type: "instance.swap-failed", pool, instance: uid, function: binding?.functionUid ?? "", message });
  }

  #loaded({ uid, pool, echo }: Instance, now: number): void {
    const { functionUid, revision } = echo as { functionUid: string; revision: string };
    this.#failures.clear(functionUid, revision);
    const ms = now - (this.#executor.starts.of(uid)?.at ?? now);
    this.#options.onEvent({ type: "instance.loaded", pool, instance: uid, function: functionUid, revision, path: this.#options.platform.loadPath, ms });
  }

  #failed(instance: Instance, now: number): void {
    const { uid, pool, echo } = instance;
    const { error, functionUid } = echo as NonNullable<Instance["echo"]>;
    if (!error) return;
    const { message, reason } = error;
    const failure = { reason, message, instanceUid: uid, retryAfterMs: 0 };
    if (reason === "memory") this.#options.onEvent({ type: "instance.out-of-memory", pool, instance: uid, function: functionUid ?? "", message });
    if (this.#isCrash(instance, error) || !functionUid || !error.revision) {
      // An instance that is being removed may end in any way.
      if (!this.#executor.isLeaving(uid)) this.#crashed(instance, error, now);
    } else if (this.#failures.record(functionUid, error.revision, `${uid}/${echo?.epoch}`, uid, error, now)) {
      const { revision } = error;
      this.#options.onEvent({ type: "instance.load-failed", pool, instance: uid, function: functionUid, revision, message });
    }
    this.#publish({ type: "failed", instanceUid: uid, failure });
  }

  /** Whether it ended after its code had loaded: an instance that goes on with the older revision has not loaded the newer one. */
  #isCrash({ uid, echo }: Instance, { reason }: LoadError): boolean {
    return reason === "crash" || (reason === "memory" && echo?.state !== "warm" && this.#loadedAt.has(uid));
  }

  /** An error without a revision is not attributed to the code: the platform restarted the runtime, or the code had served well. */
  #crashed({ uid, pool, echo }: Instance, error: LoadError, now: number): void {
    const { onEvent } = this.#options;
    const { message } = error;
    const { functionUid = null, revision = null } = echo ?? {};
    onEvent({ type: "instance.crashed", pool, instance: uid, function: functionUid, message });
    if (functionUid === null || revision === null) return;
    const loadedAt = this.#loadedAt.has(uid) ? (this.#loadedAt.get(uid) ?? null) : now;
    const { ended, failed } = this.#outcomes.of(functionUid, revision);
    const crashed = { instanceUid: uid, loadedAt, hasAnswered: error.revision === null, answered: ended - failed, error };
    const loop = this.#failures.crashed(functionUid, revision, crashed, now);
    if (!loop) return;
    onEvent({ type: "revision.crash-loop", function: functionUid, revision, crashes: loop.crashes, delayMs: loop.until - now, message });
  }
}
