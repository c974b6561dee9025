import type { KubeClient } from "../../../kubernetes/client.ts";
import type { KubeError } from "../../../kubernetes/error.ts";
import { Informer } from "../../../kubernetes/informer/informer.ts";
import type { KubeObject } from "../../../kubernetes/objects.ts";
import type { NodeTrouble } from "./obstacle.ts";

export interface Node extends KubeObject {
  spec: { unschedulable?: boolean; taints?: { key: string; effect: string }[] };
  status?: { conditions?: { type: string; status: string; reason?: string; message?: string }[] };
}

/** Kubernetes taints nodes that are away with these; instances stay there for its five minutes, in case it comes back. */
const AWAY = /^node\.kubernetes\.io\/(not-ready|unreachable)$/;

/** Pods of a deleted node are gone by then. */
const GONE_KEPT_MS = 600_000;

interface Known {
  isThere: boolean;
  /** It takes no more pods. */
  isClosed: boolean;
  /** Why it starts nothing; null: it is ready. */
  trouble: NodeTrouble | null;
}

/** What Kubernetes says of nodes: which are to be left (`kubectl cordon`, `kubectl drain`, a taint with NoExecute), and which are away. */
export class Nodes {
  readonly #nodes: Informer<Node>;
  readonly #known = new Map<string, Known>();
  readonly #changed: (name: string) => void;
  readonly #now: () => number;

  /** `changed` is told the node's name; `now` is in milliseconds. */
  constructor(kube: KubeClient, changed: (name: string) => void, now: () => number) {
    this.#changed = changed;
    this.#now = now;
    this.#nodes = new Informer<Node>(kube, "/api/v1/nodes", "", ({ type, object }) => this.#take(object, type === "present"));
  }

  /** Who may not look at nodes gets no warning of their end; everything else works. */
  async start(): Promise<void> {
    await this.#nodes.startAtOnce().catch((error: KubeError) => {
      if (error.status !== 403) throw error;
      // The refusal may be one of a moment, which nothing else has to wait for.
      void this.#nodes.start().catch(() => this.#nodes.close());
    });
  }

  /** Its instances are to be somewhere else. */
  isClosed(name: string | undefined): boolean {
    return name !== undefined && this.#known.get(name)?.isClosed === true;
  }

  /** Kubernetes itself notices after 40 s that a node is away. */
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

/** Null: it is ready, or nobody has said yet that it is not. */
function unreadiness({ status }: Node): string | null {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  if (!ready || ready.status === "True") return null;
  return ["its node is not ready", ready.reason, ready.message].filter(Boolean).join(": ");
}
