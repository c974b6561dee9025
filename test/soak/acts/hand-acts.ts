import { LABEL, type Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import type { ClusterView } from "../../cluster/subject/cluster-view.ts";
import type { History, Part } from "../history.ts";
import { type Act, fault } from "./act.ts";

/** Changes that people make to a namespace by hand, without Berth. */
export class HandActs {
  readonly #history: History;
  readonly #random: () => number;
  readonly #view: ClusterView;

  constructor(history: History, random: () => number, view: ClusterView) {
    this.#history = history;
    this.#random = random;
    this.#view = view;
  }

  acts(): Act[] {
    const { namespace } = this.#view;
    const away = (name: string, path: string): Act => ({ name: `by hand: ${name} deleted`, weight: 1, run: () => this.#delete(path) });
    return [
      { name: "by hand: a function's pod deleted", weight: 3, run: () => this.#deletePod(true) },
      { name: "by hand: a free pod deleted", weight: 2, run: () => this.#deletePod(false) },
      { name: "by hand: replicas of a CloneSet raised", weight: 2, run: () => this.#raise() },
      { name: "by hand: ImagePullJobs deleted", weight: 1, run: () => this.#deletePullJobs() },
      away("Lease", `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/berth`),
      away("Secret with keys", `/api/v1/namespaces/${namespace}/secrets/berth-keys`),
      away("PodUnavailableBudget", `/apis/policy.kruise.io/v1alpha1/namespaces/${namespace}/podunavailablebudgets/berth-instances`),
      away("PodDisruptionBudget", `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/berth-instances`),
    ];
  }

  #any<T>(of: readonly T[]): T | undefined {
    return of[Math.floor(this.#random() * of.length)];
  }

  async #deletePod(isFunctions: boolean): Promise<void> {
    const pods = await this.#view.instancePods();
    const pod: Pod | undefined = this.#any(pods.filter(({ metadata }) => (metadata.labels?.[LABEL.function] !== undefined) === isFunctions));
    if (!pod) return;
    const { name, uid } = pod.metadata;
    // At once, or with the time that its termination has.
    const graceSeconds = this.#random() < 0.5 ? 0 : undefined;
    await this.#by(`pod ${name} deleted`, [`instance:${uid}`], () => this.#view.deletePod(name, graceSeconds).catch(unlessMeant));
  }

  async #raise(): Promise<void> {
    const set = this.#any(await this.#view.sets());
    if (!set) return;
    const { spec, metadata } = set;
    await this.#by(`replicas of ${metadata.name} raised`, [], () => this.#view.editSet(metadata.name, { spec: { replicas: spec.replicas + 2 } }));
  }

  async #deletePullJobs(): Promise<void> {
    const path = `/apis/apps.kruise.io/v1alpha1/namespaces/${this.#view.namespace}/imagepulljobs`;
    const { items } = await this.#view.kube.get<{ items: { metadata: { name: string } }[] }>(path);
    await this.#by("ImagePullJobs deleted", [], async () => {
      for (const { metadata } of items) await this.#gone(`${path}/${metadata.name}`);
    });
  }

  async #delete(path: string): Promise<void> {
    await this.#by(`${path.split("/").at(-2)} deleted`, [], () => this.#gone(path));
  }

  /** It may have gone by itself. */
  async #gone(path: string): Promise<void> {
    await this.#view.kube.delete(path).catch((error: { status?: number }) => {
      if (error.status !== 404) throw error;
    });
  }

  async #by(what: string, ends: Part[], act: () => Promise<void>): Promise<void> {
    await fault(this.#history, `by hand: ${what}`, { ends }, act);
  }
}

/** The pod has gone by itself, or the budget protects it: that is what it is there for. */
function unlessMeant(error: { status?: number; message: string }): void {
  if (error.status !== 404 && !(error.status === 403 && error.message.includes("podunavailablebudget"))) throw error;
}
