import type { SequencerByKey } from "../../async/sequencer.ts";
import type { KubeClient } from "../../kubernetes/client.ts";
import type { KubeError } from "../../kubernetes/error.ts";
import type { Informer } from "../../kubernetes/informer/informer.ts";
import type { Target } from "../platform.ts";
import type { CloneSets } from "./clonesets/clonesets.ts";
import { endingOf } from "./clonesets/ending.ts";
import { type CloneSet, ownerOf, podPath } from "./objects/objects.ts";
import { platformError } from "./objects/platform-errors.ts";
import type { PodInstances } from "./pods/pod-instances.ts";

export interface PodRemovalsOptions {
  kube: KubeClient;
  sets: Informer<CloneSet>;
  members: PodInstances;
  writer: CloneSets;
  /** Moves of pods between CloneSets, and their removals, by uid. */
  moves: SequencerByKey;
  /** A pod is asked to end. */
  asked(uid: string): void;
}

/** Deletes pods: through their CloneSet, which then asks for one less. */
export class PodRemovals {
  readonly #options: PodRemovalsOptions;

  constructor(options: PodRemovalsOptions) {
    this.#options = options;
  }

  /**
   * Never while the pod moves to another CloneSet: Kruise deletes what a CloneSet names by what its cache shows, and waits
   * for the pod's end there. If the pod has moved, it waits forever, and scales that CloneSet no more.
   */
  remove(target: Target): Promise<void> {
    return this.#options.moves.run(target.uid, () => this.#remove(target));
  }

  async #remove(target: Target): Promise<void> {
    const { kube, sets, members, writer, asked } = this.#options;
    const member = members.matching(target);
    const { name, uid, resourceVersion } = member.pod.metadata;
    const owner = ownerOf(member.pod);
    // A CloneSet counts neither pods that have ended nor those that are not listed, and so cannot be asked to delete them; nor can one that ends.
    const { endedSince, missingSince } = member.known.seen;
    asked(uid);
    const set = endedSince === null && missingSince === null ? [...sets.all()].find((set) => set.metadata.uid === owner && !endingOf(set)) : undefined;
    try {
      if (set) await writer.remove(set.metadata.name, name);
      else await kube.delete(podPath(kube, name), { preconditions: { uid, resourceVersion } }, "remove");
    } catch (error) {
      if (!set && (error as KubeError).status === 404) members.vanished(target.uid);
      throw platformError(error);
    }
    members.asked(member, owner ?? "");
  }
}
