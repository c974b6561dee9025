import type { KubeClient } from "../../../kubernetes/client.ts";
import type { KubeError } from "../../../kubernetes/error.ts";
import { Informer } from "../../../kubernetes/informer/informer.ts";
import type { KubeObject } from "../../../kubernetes/objects.ts";
import type { NodeTrouble } from "./obstacle.ts";

export interface Node extends KubeObject {
  spec: { unschedulable?: boolean; taints?: { key: string; effect: string }[] };
  status?: { conditions?: { type: string; status: string; reason?: string; message?: string }[] };
}

/** Taints that Kubernetes sets on unreachable nodes. Instances stay there for its five minutes, in case the node returns. */
const AWAY = /^node\.kubernetes\.io\/(not-ready|unreachable)$/;

/** How long a deleted node is remembered: its pods are gone by then. */
const GONE_KEPT_MS = 600_000;

interface Known {
  isThere: boolean;
  /** The node is cordoned or being drained. */
  isClosed: boolean;
  /** Why the node starts no pods; null: it is ready. */
  trouble: NodeTrouble | null;
}

/** Tracks nodes: which must be vacated (`kubectl cordon`, `kubectl drain`, a taint with NoExecute), and which are unreachable or not ready. */
export class Nodes {
  readonly #nodes: Informer<Node>;
  readonly #known = new Map<string, Known>();
  readonly #changed: (name: string) => void;
  readonly #now: () => number;

  /** `changed` is called with the node's name; `now` returns milliseconds. */
  constructor(kube: KubeClient, changed: (name: string) => void, now: () => number) {
    this.#changed = changed;
    this.#now = now;
    this.#nodes = new Informer<Node>(kube, { path: "/api/v1/nodes", onChange: ({ type, object }) => this.#take(object, type === "present") });
  }

  /** Starts the watch. Without permission to watch nodes, drains are not anticipated; nothing else depends on it. */
  async start(): Promise<void> {
    await this.#nodes.startAtOnce().catch((error: KubeError) => {
      if (error.status !== 403) throw error;
      // The refusal may be transient: it is retried in the background.
      void this.#nodes.start().catch(() => this.#nodes.close());
    });
  }

  /** Whether the node's instances must be replaced on other nodes. */
  isClosed(name: string | undefined): boolean {
    return name !== undefined && this.#known.get(name)?.isClosed === true;
  }

  /** Why the node is not ready, as Kubernetes reports it: for an unreachable node only after 40 s. Null: no reason is known. */
  troubleOf(name: string | undefined): NodeTrouble | null {
    return (name !== undefined && this.#known.get(name)?.trouble) || null;
  }

  close(): void {
    this.#nodes.close();
  }

  #take(node: Node, isThere: boolean): void {
    const { name } = node.metadata;
    const before = this.#known.get(name);
    const message = isThere ? unreadiness(node) : "its node was deleted";
    const trouble = message === null ? null : { since: before?.trouble?.since ?? this.#now(), message };
    const isClosed = isThere && isToBeLeft(node);
    this.#known.set(name, { isThere, isClosed, trouble });
    for (const [other, known] of this.#known) if (!known.isThere && this.#now() - (known.trouble?.since ?? 0) > GONE_KEPT_MS) this.#known.delete(other);
    if (isClosed !== (before?.isClosed ?? false) || trouble?.message !== before?.trouble?.message) this.#changed(name);
  }
}

function isToBeLeft({ spec }: Node): boolean {
  return spec.unschedulable === true || (spec.taints?.some(({ key, effect }) => effect === "NoExecute" && !AWAY.test(key)) ?? false);
}

/** Why a node is not ready; null: it is, or its condition is not known yet. */
function unreadiness({ status }: Node): string | null {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  if (!ready || ready.status === "True") return null;
  return ["its node is not ready", ready.reason, ready.message].filter(Boolean).join(": ");
}
