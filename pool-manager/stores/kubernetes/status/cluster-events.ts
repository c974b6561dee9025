import { BoundedMap } from "../../../collections/bounded.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
import type { PoolEvent } from "../../../pool/events.ts";
import { GROUP, VERSION } from "../definitions/crds.ts";
import { Unwritten } from "./unwritten.ts";

/** An object gets at most one Event of each reason within this time; the next one counts those that were left out. */
const EVERY_MS = 60_000;
/** The most Event writes in flight; further Events are left out. */
const MAX_PENDING = 20;
const MAX_SUBJECTS = 2000;
const MAX_MESSAGE = 1024;

/** The object that an Event is about. */
export interface Subject {
  kind: "Function" | "Pool";
  name: string;
}

interface EventContent extends Subject {
  type: "Normal" | "Warning";
  reason: string;
  message: string;
}

/** The Kubernetes Event for an event of a pool; null: it is routine. */
export function toldBy(event: PoolEvent): EventContent | null {
  const of = (fn: string | null): Subject => (fn ? { kind: "Function", name: fn } : { kind: "Pool", name: "pool" in event ? event.pool : "" });
  const warning = (subject: Subject, reason: string, message: string): EventContent => ({ ...subject, type: "Warning", reason, message });
  switch (event.type) {
    case "action.failed":
      return warning(of(event.function), "ActionFailed", `${event.action}: ${event.message}`);
    case "action.recovered":
      return { ...of(event.function), type: "Normal", reason: "ActionRecovered", message: `${event.action} has succeeded after ${event.failures} failures` };
    case "instance.obstructed":
      return warning(of(event.function), "InstanceObstructed", `${event.instance} is ${event.obstacle}: ${event.message}`);
    case "instance.crashed":
      return warning(of(event.function), "InstanceCrashed", `${event.instance}: ${event.message}`);
    case "instance.out-of-memory":
      return warning(of(event.function), "OutOfMemory", `${event.instance}: ${event.message}`);
    case "instance.load-failed":
      return warning(of(event.function), "LoadFailed", `${event.revision}: ${event.message}`);
    case "revision.crash-loop":
      return warning(of(event.function), "CrashLoopBackOff", `${event.revision}: the next start is in ${event.delayMs / 1000} s: ${event.message}`);
    case "instance.swap-failed":
      return warning(of(event.function), "SwapFailed", `${event.instance}: ${event.message}`);
    case "observation.doubted":
      return warning(of(null), "ObservationDoubted", event.message);
    case "budget.exhausted":
      return warning(of(null), "BudgetExhausted", "the budget of deletions and in-place changes is used up; further ones are delayed");
    case "rollout.stopped":
      return warning(of(event.function), "RolloutStopped", `${event.revision}: ${event.message}`);
    case "rollout.complete":
      return { ...of(event.function), type: "Normal", reason: "RolloutComplete", message: `${event.revision} has all invocations` };
    case "instance.removing":
      return UNASKED.has(event.reason) ? warning(of(event.function), "InstanceRemoved", `${event.instance}: ${event.reason}`) : null;
    default:
      return null;
  }
}

/** Reasons of removals that no user or scaling decision requested. */
const UNASKED = new Set(["failed", "suspect", "start-timeout", "unreachable", "orphaned", "misbound"]);

export interface ClusterEventsOptions {
  kube: Pick<KubeClient, "create" | "namespace">;
  /** The uid of the resource that an Event is about; null: there is none, and the Event is left out. */
  uidOf(subject: Subject): string | null;
  now(): number;
  /** Observes the outcome of each write. */
  watch(write: Promise<unknown>): Promise<void>;
}

/**
 * Writes Kubernetes Events of Functions and Pools, so that `kubectl describe` shows Berth's own events. A failed write is
 * retried later, because Berth reports a lasting failure only once.
 */
export class ClusterEvents {
  readonly #options: ClusterEventsOptions;
  /** When each object last got an Event of each reason, and how many were left out since. */
  readonly #last = new BoundedMap<string, { at: number; left: number }>(MAX_SUBJECTS);
  readonly #unwritten: Unwritten<object>;
  #pending = 0;

  constructor(options: ClusterEventsOptions) {
    this.#options = options;
    this.#unwritten = new Unwritten((body) => this.#write(body));
  }

  tell(event: PoolEvent): void {
    const content = toldBy(event);
    const uid = content && this.#options.uidOf(content);
    if (!content || !uid) return;
    const key = `${content.kind} ${content.name} ${content.reason}`;
    const last = this.#last.get(key);
    const now = this.#options.now();
    if ((last && now - last.at < EVERY_MS) || this.#pending >= MAX_PENDING) {
      this.#last.set(key, { at: last?.at ?? now - EVERY_MS, left: (last?.left ?? 0) + 1 });
      return;
    }
    this.#last.set(key, { at: now, left: 0 });
    this.#pending += 1;
    const message = last?.left ? `${content.message} (and ${last.left} more of its kind before)` : content.message;
    this.#unwritten.drop(key);
    void this.#send(key, this.#bodyOf({ ...content, message }, uid));
  }

  /** Ends all retries. */
  close(): void {
    this.#unwritten.close();
  }

  async #send(key: string, body: object): Promise<void> {
    try {
      await this.#write(body);
    } catch (error) {
      // `watch` reports the error.
      this.#unwritten.keep(key, body, error);
    } finally {
      this.#pending -= 1;
    }
  }

  #write(body: object): Promise<unknown> {
    const { kube, watch } = this.#options;
    const write = kube.create(`/api/v1/namespaces/${kube.namespace}/events`, body, "event");
    void watch(write);
    return write;
  }

  #bodyOf({ kind, name, type, reason, message }: EventContent, uid: string): object {
    const { namespace } = this.#options.kube;
    const time = `${new Date().toISOString().slice(0, 19)}Z`;
    return {
      metadata: { generateName: `${name.slice(0, 40)}.` },
      involvedObject: { apiVersion: `${GROUP}/${VERSION}`, kind, name, namespace, uid },
      type,
      reason,
      message: message.slice(0, MAX_MESSAGE),
      source: { component: "berth" },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    };
  }
}
