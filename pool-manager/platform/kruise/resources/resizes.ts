import type { Resources } from "../../../../runtime-images/protocol/messages.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
import type { KubeError } from "../../../kubernetes/error.ts";
import type { Informer } from "../../../kubernetes/informer/informer.ts";
import { type Pod, podPath } from "../objects/objects.ts";
import { type PodResources, resizeOf, resizePending } from "./pod-resources.ts";

const ATTEMPTS = 4;

export interface ResizesOptions {
  kube: Pick<KubeClient, "namespace" | "get" | "patch">;
  pods: Pick<Informer<Pod>, "learn" | "found">;
  /** The resources of a pool's pods without a function; undefined: it is not offered. */
  resourcesOf(pool: string): PodResources | undefined;
  /** False: the API server has no subresource for it, and the supervisor alone keeps the limits. */
  isSupported: boolean;
  onTrouble(step: string, message: string | null): void;
}

/** Gives pods the resources of the functions that they have accepted, without a restart. */
export class Resizes {
  readonly #options: ResizesOptions;
  /** Uids of pods that do not have their resources. */
  readonly #failing = new Map<string, string>();

  constructor(options: ResizesOptions) {
    this.#options = options;
  }

  /** Resizes a pod that has accepted a load order, unless it has these resources. Never rejects: the instance serves meanwhile with those that it has. */
  async resize(pod: Pod, pool: string, resources: Resources = {}): Promise<void> {
    const free = this.#options.resourcesOf(pool);
    if (!this.#options.isSupported || !free) return;
    try {
      await this.#patch(pod, resources, free);
    } catch (error) {
      if ((error as KubeError).status !== 404) this.#tell(pod.metadata.uid, `${pod.metadata.name}: ${(error as Error).message}`);
    }
  }

  /** Reports why the kubelet holds back a resize of this pod. */
  observe(pod: Pod): void {
    const why = resizePending(pod);
    this.#tell(pod.metadata.uid, why && `${pod.metadata.name}: ${why}`);
  }

  forget(uid: string): void {
    this.#tell(uid, null);
  }

  /** A conflict is followed by a look and another try. */
  async #patch(known: Pod, resources: Resources, free: PodResources): Promise<void> {
    const { kube, pods } = this.#options;
    const path = podPath(kube, known.metadata.name);
    let pod = known;
    for (let attempt = 1; ; attempt++) {
      const patch = resizeOf(pod, resources, free);
      if (!patch) return;
      try {
        pods.learn(await kube.patch<Pod>(`${path}/resize`, "json", patch, "resize"));
        return;
      } catch (error) {
        if (![409, 422].includes((error as KubeError).status) || attempt === ATTEMPTS) throw error;
        pod = await kube.get<Pod>(path);
        if (pod.metadata.uid !== known.metadata.uid) return;
        pods.found(pod);
      }
    }
  }

  /** Tells the first of them, and that there is none any more. */
  #tell(uid: string, message: string | null): void {
    const before = this.#failing.size;
    if (message === null) this.#failing.delete(uid);
    else this.#failing.set(uid, message);
    const after = this.#failing.size;
    if (before === 0 && after > 0) this.#options.onTrouble("resources of pods", message);
    else if (before > 0 && after === 0) this.#options.onTrouble("resources of pods", null);
  }
}
