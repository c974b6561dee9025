import type { Kube } from "./kube.ts";
import type { KubeError } from "./kube-error.ts";
import type { KubeObject } from "./objects.ts";
import { Reflector } from "./reflector.ts";

interface Node extends KubeObject {
  spec: { unschedulable?: boolean };
}

/** Nodes that take no more pods (`kubectl cordon`, `kubectl drain`): their instances are to be somewhere else. */
export class Nodes {
  readonly #nodes: Reflector<Node>;
  readonly #closed = new Set<string>();
  readonly #changed: (name: string) => void;

  /** `changed` is told the node's name. */
  constructor(kube: Kube, changed: (name: string) => void) {
    this.#changed = changed;
    this.#nodes = new Reflector<Node>(kube, "/api/v1/nodes", "", ({ type, object }) =>
      this.#set(object.metadata.name, type === "present" && object.spec.unschedulable === true),
    );
  }

  /** Who may not look at nodes gets no warning of their end; everything else works. */
  async start(): Promise<void> {
    await this.#nodes.start().catch((error: KubeError) => {
      if (error.status !== 403) throw error;
      this.#nodes.close();
    });
  }

  isClosed(name: string | undefined): boolean {
    return name !== undefined && this.#closed.has(name);
  }

  close(): void {
    this.#nodes.close();
  }

  #set(name: string, isClosed: boolean): void {
    if (this.#closed.has(name) === isClosed) return;
    if (isClosed) this.#closed.add(name);
    else this.#closed.delete(name);
    this.#changed(name);
  }
}
