import type { SequencerByKey } from "../../async/sequencer.ts";
import type { KubeClient } from "../../kubernetes/client.ts";
import type { KubeError } from "../../kubernetes/error.ts";
import type { Informer } from "../../kubernetes/informer/informer.ts";
import { type Binding, PlatformError, type PreparedCode, type Target } from "../platform.ts";
import type { CloneSets } from "./clonesets/clonesets.ts";
import { claimPatch, functionSetName, revisionPatch, swapPatch } from "./clonesets/manifests.ts";
import type { CodeRegistry } from "./code/code-registry.ts";
import type { FunctionCodes } from "./function-codes.ts";
import { type Dropped, droppedFrom } from "./objects/dropped-metadata.ts";
import { ANNOTATION, type CloneSet, LABEL, ownerOf, type Pod, podPath } from "./objects/objects.ts";
import { droppedError, platformError } from "./objects/platform-errors.ts";
import type { PodTemplate } from "./objects/template.ts";
import type { PodInstance, PodInstances } from "./pods/pod-instances.ts";

const PATCH_ATTEMPTS = 4;

export interface ClaimsOptions {
  kube: KubeClient;
  pods: Informer<Pod>;
  sets: Informer<CloneSet>;
  members: PodInstances;
  writer: CloneSets;
  codes: FunctionCodes;
  registry: CodeRegistry;
  templates: ReadonlyMap<string, PodTemplate>;
  /** Moves of pods between CloneSets, and their removals, by uid. */
  moves: SequencerByKey;
  /** Recorded with each write. */
  term: number;
  now(): number;
}

/** Records at the cluster whose instance a pod is: it gets the code image of its function, and moves to the function's CloneSet. */
export class Claims {
  readonly #options: ClaimsOptions;

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  async bind(target: Target, binding: Binding): Promise<void> {
    const member = this.#options.members.matching(target);
    const served = this.#options.codes.get(binding.functionUid);
    const code = served?.find(({ revision }) => revision === binding.revision);
    if (!code) throw new PlatformError("CONFLICT", `revision ${binding.revision} of ${binding.functionUid} is not served any more`);
    const { pool } = member;
    // The CloneSet has the image that is being released, whichever a pod of it runs: Kruise goes by the pods' labels.
    const released = this.#options.codes.releasedIn(binding.functionUid, pool) ?? code;
    const isReleased = code === released;
    try {
      await this.#options.registry.publish(code.image);
      const claim = {
        ...binding,
        image: this.#options.registry.reference(code.image, swapTagOf(code, member.pod)),
        digest: code.image,
        term: this.#options.term,
        fingerprint: member.link?.fingerprint ?? member.pod.metadata.annotations?.[ANNOTATION.fingerprint] ?? "",
        template: member.known.isCurrent ? (this.#options.templates.get(pool)?.hash ?? null) : null,
      };
      member.known.swapSince = this.#options.now();
      const owned = ownerOf(member.pod) === this.#options.sets.get(functionSetName(binding.functionUid, pool))?.metadata.uid;
      const swapped = owned ? await this.#patchPod(target, (pod) => swapPatch(pod, claim)) : null;
      const set = await (owned ? this.#options.codes.prepareLater(released, pool) : this.#options.codes.prepare(released, pool));
      if (owned) await this.#patchPod(target, (pod) => revisionPatch(pod, set, isReleased, claim.term), true);
      const recorded = swapped ?? (await this.#claim(set, target, member, (pod) => claimPatch(pod, set, isReleased, claim)));
      if (recorded.annotations.length > 0) throw droppedError(recorded.annotations);
    } catch (error) {
      throw platformError(error);
    }
  }

  /** Moves the pod into a function's CloneSet. Kruise lets go at once of one that has not got the label by which that selects: its place is given back. */
  #claim(set: CloneSet, target: Target, { pod }: PodInstance, patch: (pod: Pod) => object): Promise<Dropped> {
    return this.#options.writer.claim(set.metadata.name, () =>
      this.#options.writer.moveOut(ownerOf(pod) ?? "", async () => {
        const found = await this.#options.moves.run(target.uid, () => this.#patchPod(target, patch));
        if (found.labels.includes(LABEL.set)) throw droppedError(found.labels);
        return found;
      }),
    );
  }

  /**
   * Patches the pod as it is known; a refusal because of its status alone is followed by another try. `ofOurs`: a
   * change of ours has already been written on the target's version. Returns what the answer lacks of it.
   */
  async #patchPod(target: Target, patch: (pod: Pod) => object, ofOurs = false): Promise<Dropped> {
    const { kube } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const { pod } = ofOurs ? this.#options.members.get(target.uid) : this.#options.members.matching(target);
      const path = podPath(kube, pod.metadata.name);
      try {
        const body = patch(pod);
        const answer = await kube.patch<Pod>(path, "strategic-merge", body, "claim");
        this.#options.pods.learn(answer);
        return droppedFrom(body, answer);
      } catch (error) {
        if ((error as KubeError).status !== 409 || attempt === PATCH_ATTEMPTS) throw error;
        this.#options.pods.found(await kube.get<Pod>(path));
      }
    }
  }
}

/** A tag that this pod has not run: it counts the pod's swaps. */
function swapTagOf(code: PreparedCode, pod: Pod): string {
  return `${code.revision}-${code.image.slice(7, 19)}-${pod.metadata.resourceVersion}`;
}
