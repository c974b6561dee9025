import { Informer } from "../../../pool-manager/kubernetes/informer/informer.ts";
import { LABEL, type Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import type { ClusterView } from "./cluster-view.ts";

/** Every pod of a namespace's instances from now on, past all pool managers: which there have been, which ended, and how many at once. */
export class PodWatch {
  readonly #alive = new Map<string, { free: boolean }>();
  readonly #reflector: Informer<Pod>;
  /** Most of them at once. */
  most = 0;
  /** Names of those that were deleted or ended, and of those that came after the first listing. */
  readonly ended: string[] = [];
  readonly came: string[] = [];

  private constructor({ kube, namespace }: ClusterView) {
    this.#reflector = new Informer<Pod>(kube, {
      path: `/api/v1/namespaces/${namespace}/pods`,
      selector: LABEL.pool,
      onChange: ({ type, object }) => this.#see(object, type === "present"),
    });
  }

  static async open(view: ClusterView): Promise<PodWatch> {
    const watch = new PodWatch(view);
    await watch.#reflector.start();
    return watch;
  }

  /** Uids of the instances that are there, and of those among them that belong to no function. */
  get uids(): { all: string[]; free: string[] } {
    const all = [...this.#alive].sort(([a], [b]) => a.localeCompare(b));
    return { all: all.map(([uid]) => uid), free: all.filter(([, { free }]) => free).map(([uid]) => uid) };
  }

  close(): void {
    this.#reflector.close();
  }

  #see({ metadata, status }: Pod, isThere: boolean): void {
    const lives = isThere && !metadata.deletionTimestamp && status.phase !== "Failed" && status.phase !== "Succeeded";
    const known = this.#alive.has(metadata.uid);
    if (lives && !known && this.#reflector.synced) this.came.push(metadata.name);
    if (!lives && known) this.ended.push(metadata.name);
    if (lives) this.#alive.set(metadata.uid, { free: metadata.labels?.[LABEL.function] === undefined });
    else this.#alive.delete(metadata.uid);
    this.most = Math.max(this.most, this.#alive.size);
  }
}
