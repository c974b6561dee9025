import { LABEL, type Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { SECOND_NODE } from "../../cluster/machine/layout.ts";
import { loseSecondNode, returnSecondNode } from "../../cluster/machine/second-node.ts";
import type { ClusterView } from "../../cluster/subject/cluster-view.ts";
import type { History, Part } from "../history.ts";
import { type Act, fault, pause } from "./act.ts";

/** Shorter than the 40 seconds after which Kubernetes takes a node for lost, and longer. */
const SHORT_MS = 15_000;
const LONG_MS = 55_000;

/** A machine of the cluster loses its power, with every instance on it, and comes back. */
export class NodeLoss {
  readonly #history: History;
  readonly #view: ClusterView;

  constructor(history: History, view: ClusterView) {
    this.#history = history;
    this.#view = view;
  }

  acts(): Act[] {
    return [
      { name: "second node: lost for a moment", weight: 2, run: () => this.#lose(SHORT_MS) },
      { name: "second node: lost until Kubernetes notices", weight: 2, run: () => this.#lose(LONG_MS) },
    ];
  }

  async #lose(ms: number): Promise<void> {
    await fault(this.#history, `second node: lost for ${ms} ms`, { ends: await this.#instances() }, async () => {
      await loseSecondNode();
      try {
        await pause(ms);
      } finally {
        // Pods that were placed there meanwhile have not begun to run.
        await fault(this.#history, "second node: back", { ends: await this.#instances() }, returnSecondNode);
      }
    });
  }

  async #instances(): Promise<Part[]> {
    const path = `/api/v1/namespaces/${this.#view.namespace}/pods`;
    const { items } = await this.#view.kube.get<{ items: Pod[] }>(path, { fieldSelector: `spec.nodeName=${SECOND_NODE.name}`, labelSelector: LABEL.pool });
    return items.map(({ metadata }): Part => `instance:${metadata.uid}`);
  }
}
