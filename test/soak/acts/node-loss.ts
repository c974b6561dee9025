import { LABEL, type Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { SECOND_NODE } from "../../cluster/machine/layout.ts";
import { loseSecondNode, returnSecondNode } from "../../cluster/machine/second-node.ts";
import type { ClusterView } from "../../cluster/subject/cluster-view.ts";
import type { History, Part } from "../history.ts";
import { type Act, fault, pause } from "./act.ts";

/** Shorter than the 40 seconds after which Kubernetes takes a node for lost, and longer. */
const SHORT_MS = 15_000;
const LONG_MS = 55_000;
/** A node that is back starts its pods again, or ends them; a busy one takes this long. */
const RESTARTED_MS = 75_000;
const LOOK_MS = 500;

interface Started {
  ready?: boolean;
  state?: { running?: { startedAt?: string } };
}

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
        await fault(this.#history, "second node: back", { ends: await this.#instances() }, async () => {
          const before = await this.#pods();
          const from = Date.now();
          await returnSecondNode();
          await this.#restarted(before, from);
        });
      }
    });
  }

  /** Waits until each of these pods has started its containers anew, or is gone: until then they may be restarted. */
  async #restarted(before: readonly Pod[], from: number): Promise<void> {
    const waits = new Set(before.map(({ metadata }) => metadata.uid));
    // Kubernetes' times are whole seconds.
    const hasStarted = ({ status }: Pod) =>
      (status.containerStatuses as Started[] | undefined)?.every(({ ready, state }) => ready && Date.parse(state?.running?.startedAt ?? "") >= from - 1000) ===
      true;
    for (const deadline = performance.now() + RESTARTED_MS; performance.now() < deadline; await pause(LOOK_MS)) {
      const pods = await this.#pods();
      if (!pods.some((pod) => waits.has(pod.metadata.uid) && !hasStarted(pod))) return;
    }
  }

  async #instances(): Promise<Part[]> {
    return (await this.#pods()).map(({ metadata }): Part => `instance:${metadata.uid}`);
  }

  async #pods(): Promise<Pod[]> {
    const path = `/api/v1/namespaces/${this.#view.namespace}/pods`;
    return (await this.#view.kube.get<{ items: Pod[] }>(path, { fieldSelector: `spec.nodeName=${SECOND_NODE.name}`, labelSelector: LABEL.pool })).items;
  }
}
