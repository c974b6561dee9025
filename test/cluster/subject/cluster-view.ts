import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { CLONESETS, type CloneSet, LABEL, type Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { clusterConfig } from "./subject.ts";

/** A namespace as the API server shows it, past all caches of ours. */
export class ClusterView {
  readonly kube: KubeClient;
  readonly namespace: string;

  private constructor(kube: KubeClient) {
    this.kube = kube;
    this.namespace = kube.namespace;
  }

  static async open(namespace: string): Promise<ClusterView> {
    return new ClusterView(await KubeClient.connect(clusterConfig(namespace).kubeconfig, namespace));
  }

  async pods(): Promise<Pod[]> {
    const { items } = await this.kube.get<{ items: Pod[] }>(this.#path("pods"), {}, 20_000);
    return items.filter(({ metadata }) => !metadata.deletionTimestamp);
  }

  async pod(uid: string | undefined): Promise<Pod | undefined> {
    return (await this.pods()).find(({ metadata }) => metadata.uid === uid);
  }

  async sets(): Promise<CloneSet[]> {
    return (await this.kube.get<{ items: CloneSet[] }>(`${CLONESETS}/namespaces/${this.namespace}/clonesets`)).items;
  }

  async functionSets(): Promise<CloneSet[]> {
    return (await this.sets()).filter(({ metadata }) => metadata.labels?.[LABEL.function]);
  }

  /** Pods of a part of an installation: `manager`, `router`, `redis`. */
  async component(name: string): Promise<Pod[]> {
    return (await this.pods()).filter(({ metadata }) => metadata.labels?.["app.kubernetes.io/component"] === name);
  }

  isGone(path: string): Promise<boolean> {
    return this.kube.get(path).then(
      () => false,
      ({ status }: KubeError) => status === 404,
    );
  }

  /** Free ones and functions'. */
  async instancePods(): Promise<Pod[]> {
    return (await this.pods()).filter(({ metadata }) => metadata.labels?.[LABEL.pool]);
  }

  async functionPods(): Promise<Pod[]> {
    return (await this.pods()).filter(({ metadata }) => metadata.labels?.[LABEL.function]);
  }

  /** Deletes as the node or an administrator does: without the budget that protects instances. */
  async deletePod(name: string, graceSeconds?: number): Promise<void> {
    await this.kube.patch(this.#path("pods", name), "merge", { metadata: { annotations: { "pod.kruise.io/pub-no-protect": "true" } } });
    await this.kube.delete(this.#path("pods", name), graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds });
  }

  async editSet(name: string, patch: object): Promise<void> {
    await this.kube.patch(`${CLONESETS}/namespaces/${this.namespace}/clonesets/${name}`, "merge", patch);
  }

  /** Whether every function's CloneSet counts exactly its live pods. */
  async balanced(): Promise<boolean> {
    const [sets, pods] = await Promise.all([this.functionSets(), this.pods()]);
    return sets.every(
      ({ spec, metadata }) => spec.replicas === pods.filter((pod) => pod.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid)).length,
    );
  }

  close(): void {
    this.kube.close();
  }

  #path(kind: string, name?: string): string {
    return `/api/v1/namespaces/${this.namespace}/${kind}${name ? `/${name}` : ""}`;
  }
}
