import { CONTROL_PORT, type LoadAnswer } from "../../../runtime-images/protocol/messages.ts";
import { PeriodicTask } from "../../async/periodic-task.ts";
import type { Collector } from "../../functions/retention.ts";
import { tagOf } from "../../images/runtime-image.ts";
import type { KubeClient } from "../../kubernetes/client.ts";
import { isRefusal, KubeError } from "../../kubernetes/error.ts";
import { Informer } from "../../kubernetes/informer/informer.ts";
import { ControlClient } from "../control-client.ts";
import {
  type Binding,
  type Instance,
  type LoadPath,
  type LogListener,
  type NeededCode,
  type Observation,
  type OpenOrder,
  type Platform,
  PlatformError,
  type PoolScale,
  type PoolTarget,
  type PreparedCode,
  shortage,
  type Target,
} from "../platform.ts";
import { CloneSets } from "./clonesets/clonesets.ts";
import { endingOf } from "./clonesets/ending.ts";
import {
  claimPatch,
  functionSet,
  functionSetName,
  type PodSettings,
  poolSet,
  poolSetName,
  revisionPatch,
  swapPatch,
  templateOf,
} from "./clonesets/manifests.ts";
import { TemplateKeeper } from "./clonesets/template-keeper.ts";
import type { ClusterKeys } from "./cluster-keys.ts";
import type { CodeRegistry } from "./code/code-registry.ts";
import type { InlineArchives } from "./code/inline-archive.ts";
import { Availability } from "./disruption/availability.ts";
import type { DisruptionBudgets } from "./disruption/budgets.ts";
import type { Lead } from "./leader-election/leader-election.ts";
import { type Dropped, droppedFrom } from "./objects/dropped-metadata.ts";
import { ANNOTATION, CLONESETS, type CloneSet, CODE_CONTAINER, LABEL, ownerOf, type Pod } from "./objects/objects.ts";
import { functionOfSet, isBerths, isBerthsSet, poolOfSet } from "./objects/pod-owner.ts";
import type { PodTemplate } from "./objects/template.ts";
import { Nodes } from "./pods/nodes.ts";
import type { OpenControl } from "./pods/pod-connection.ts";
import { type PodInstance, PodInstances } from "./pods/pod-instances.ts";

/** With the order, or by the swapped image alone. */
export type PodLoadPath = Exclude<LoadPath, "volume">;

export interface KruiseOptions {
  kube: KubeClient;
  keys: ClusterKeys;
  /** Its term is recorded with each write. */
  lead: Lead;
  pods: PodSettings;
  code: CodeRegistry;
  inline: InlineArchives;
  loadPath: PodLoadPath;
  /** Told how many instances have to stay when others delete or evict some. */
  protection: Pick<DisruptionBudgets, "require">;
  /** Told of what does not work at the cluster and is tried again, and null when it does. */
  onTrouble(step: string, message: string | null): void;
  now(): number;
  /** Over TLS, where nothing else is given. */
  openControl?: OpenControl;
}

const CHECK_EVERY_MS = 1000;
const HEAL_EVERY_MS = 2000;
const TEMPLATE_AFTER_MS = 400;
/** Nobody waits for the claim of an instance that was loaded inline: more of them may share a write. */
const RAISE_EVERY_MS: Record<PodLoadPath, number> = { inline: 300, image: 100 };
const PATCH_ATTEMPTS = 4;
/** A first table waits this long at most for instances to say what they serve. */
const SPEAK_MS = 3000;

/** Pods of OpenKruise CloneSets: one CloneSet for each pool, and one for each function, to which claimed pods are moved. */
export class KruisePlatform implements Platform {
  readonly kind = "kruise";
  readonly loadPath: PodLoadPath;
  readonly #options: KruiseOptions;
  readonly #pods: Informer<Pod>;
  readonly #sets: Informer<CloneSet>;
  readonly #nodes: Nodes;
  readonly #writer: CloneSets;
  readonly #members: PodInstances;
  readonly #template: PodTemplate;
  readonly #availability = new Availability();
  readonly #templates: TemplateKeeper;
  /** What can be invoked of each function, the revision first that is being released, and the images that carry it. */
  readonly #codes = new Map<string, readonly [PreparedCode, ...PreparedCode[]]>();
  /** Uids of the functions that there are, and who decides about CloneSets of others; null: not told yet. */
  #retained: { functions: ReadonlySet<string>; collector: Collector } | null = null;
  /** One round after the other: where writes hang, those behind them would pile up. */
  readonly #healing: PeriodicTask;
  #checking: NodeJS.Timeout | null = null;

  constructor(options: KruiseOptions) {
    this.#options = options;
    this.loadPath = options.loadPath;
    const { kube, keys, now } = options;
    // All pods and CloneSets of the namespace are looked at: one whose labels were changed would not be selected by them.
    this.#pods = new Informer<Pod>(kube, `/api/v1/namespaces/${kube.namespace}/pods`, "", (change) => {
      this.#writer.podChanged(change.object);
      this.#members.podChanged(change);
    });
    this.#pods.accepts = (pod) => isBerths(pod, this.#sets) || this.#members.has(pod.metadata.uid);
    this.#sets = new Informer<CloneSet>(kube, `${CLONESETS}/namespaces/${kube.namespace}/clonesets`, "", ({ type, object }) => {
      if (type === "present") return this.#writer.noticed(object);
      this.#writer.gone(object);
      this.#templates.forget(object.metadata.name);
    });
    this.#sets.accepts = isBerthsSet;
    this.#nodes = new Nodes(kube, (name) => this.#members.nodeChanged(name), now);
    this.#template = templateOf(options.pods);
    const { openControl = (instance) => new ControlClient({ ...instance, port: CONTROL_PORT, key: keys.signing }) } = options;
    this.#members = new PodInstances({ kube, keys, template: this.#template, openControl, now, pods: this.#pods, sets: this.#sets, nodes: this.#nodes });
    this.#members.watch((uid) => this.#availability.observe(uid, servedBy(this.#members.instances.get(uid)), now()));
    this.#writer = new CloneSets({ kube, sets: this.#sets, pods: this.#pods, term: options.lead.term, raiseEveryMs: RAISE_EVERY_MS[options.loadPath] });
    this.#templates = new TemplateKeeper({ write: (name, patch) => this.#writer.mend(name, patch), onTrouble: options.onTrouble, now });
    this.#healing = new PeriodicTask(
      () => this.#heal(),
      HEAL_EVERY_MS,
      (message) => options.onTrouble("look at CloneSets", message),
    );
  }

  async start(): Promise<void> {
    await this.#nodes.start();
    // CloneSets first: a pod is Berth's by its owner.
    await this.#sets.start();
    await this.#pods.start();
    // A table without those that only have not spoken yet would take them from their routers.
    for (const deadline = performance.now() + SPEAK_MS; performance.now() < deadline && this.#members.anySilent(); )
      await new Promise((resolve) => setTimeout(resolve, 10));
    this.#healing.start();
    this.#checking = setInterval(() => this.#check(), CHECK_EVERY_MS);
  }

  observe(): Observation {
    return {
      synced: this.#pods.synced && this.#sets.synced,
      instances: this.#members.instances,
      counted: () => this.#writer.counted(),
      refusals: () => this.#writer.refusals(),
    };
  }

  watch(listener: (uid: string) => void): () => void {
    return this.#members.watch(listener);
  }

  onLog(listener: LogListener): void {
    this.#members.onLog(listener);
  }

  async scalePool(pool: PoolTarget, scale: PoolScale): Promise<void> {
    const { pods } = this.#options;
    const name = poolSetName(pool.name, pods);
    try {
      const count = () => shortage(pool, scale, this.#members.instances.values());
      await this.#writer.create(name, () => poolSet(pool.name, pods), count);
    } catch (error) {
      throw translated(error);
    }
  }

  prepareCode(codes: readonly [PreparedCode, ...PreparedCode[]]): void {
    const [released] = codes;
    this.#codes.set(released.functionUid, codes);
    if (this.loadPath === "inline") for (const code of codes) this.#options.inline.prepare(code);
    const isNew = this.#sets.get(functionSetName(released.functionUid)) === undefined;
    const published = Promise.all(codes.map(({ image }) => this.#options.code.publish(image)));
    const prepared = isNew ? this.#prepare(released) : published.then(() => this.#prepareLater(released));
    // The claim that needs it tries again, and tells.
    for (const promise of [published, prepared]) promise.catch(() => {});
  }

  retainCode(needed: NeededCode, collector: Collector): void {
    // A later leader's functions are not among these.
    if (!this.#options.lead.certain()) return;
    const { functions, layers } = needed;
    for (const uid of this.#codes.keys()) if (!functions.has(uid)) this.#codes.delete(uid);
    this.#options.code.retain(needed, collector);
    this.#options.inline.retain(layers, collector);
    this.#retained = { functions, collector };
  }

  async load(order: OpenOrder, code: Uint8Array): Promise<LoadAnswer> {
    const { link } = this.#members.get(order.uid);
    if (!link) throw new PlatformError("UNREACHABLE", `the instance ${order.uid} has no address yet`);
    const { keys, inline } = this.#options;
    const key = keys.instanceKey(order.uid, order.bootId);
    const archive = this.loadPath === "inline" ? await inline.archive(order.digest, order.settings.entry, code) : null;
    const source = archive ? ({ kind: "inline", archive: archive.digest } as const) : ({ kind: "image" } as const);
    const answer = await link.load({ ...order, key, source }, archive?.data ?? new Uint8Array());
    this.#members.echoed(order.uid, answer.echo);
    return answer;
  }

  async bind(target: Target, binding: Binding): Promise<void> {
    const member = this.#members.matching(target);
    const codes = this.#codes.get(binding.functionUid);
    const code = codes?.find(({ revision }) => revision === binding.revision);
    if (!codes || !code) throw new PlatformError("CONFLICT", `revision ${binding.revision} of ${binding.functionUid} is not served any more`);
    // The CloneSet has the image that is being released, whichever a pod of it runs: Kruise goes by the pods' labels.
    const [released] = codes;
    const isReleased = code === released;
    try {
      await this.#options.code.publish(code.image);
      const claim = {
        ...binding,
        image: this.#options.code.reference(code.image, swapTagOf(code, member.pod)),
        digest: code.image,
        term: this.#options.lead.term,
        fingerprint: member.link?.fingerprint ?? member.pod.metadata.annotations?.[ANNOTATION.fingerprint] ?? "",
        template: member.known.isCurrent ? this.#template.hash : null,
      };
      member.known.swapSince = this.#options.now();
      const owned = ownerOf(member.pod) === this.#sets.get(functionSetName(binding.functionUid))?.metadata.uid;
      const swapped = owned ? await this.#patchPod(target, (pod) => swapPatch(pod, claim)) : null;
      const set = await (owned ? this.#prepareLater(released) : this.#prepare(released));
      if (owned) await this.#patchPod(target, (pod) => revisionPatch(pod, set, isReleased, claim.term), true);
      const recorded = swapped ?? (await this.#claim(set, target, member, (pod) => claimPatch(pod, set, isReleased, claim)));
      if (recorded.annotations.length > 0) throw dropped(recorded.annotations);
    } catch (error) {
      throw translated(error);
    }
  }

  async drain(uid: string, deadlineMs: number): Promise<void> {
    if (!this.#options.lead.certain()) throw new PlatformError("UNREACHABLE", "not certain to be the leader: nothing is ended");
    const { link } = this.#members.get(uid);
    if (!link) throw new PlatformError("UNREACHABLE", `the instance ${uid} has no address yet`);
    this.#availability.asked(uid);
    await link.drain(deadlineMs);
  }

  async remove(target: Target): Promise<void> {
    const member = this.#members.matching(target);
    const { name, uid, resourceVersion } = member.pod.metadata;
    const owner = ownerOf(member.pod);
    // A CloneSet counts neither pods that have ended nor those that are not listed, and so cannot be asked to delete them; nor can one that ends.
    const { endedSince, missingSince } = member.known.seen;
    this.#availability.asked(uid);
    const set = endedSince === null && missingSince === null ? [...this.#sets.all()].find((set) => set.metadata.uid === owner && !endingOf(set)) : undefined;
    try {
      if (set) await this.#writer.remove(set.metadata.name, name);
      else await this.#options.kube.delete(`${this.#podPath(name)}`, { preconditions: { uid, resourceVersion } }, "remove");
    } catch (error) {
      if (!set && (error as KubeError).status === 404) this.#members.vanished(target.uid);
      throw translated(error);
    }
    this.#members.asked(member, owner ?? "");
  }

  /** Lets go of the cluster: its instances go on serving. */
  async close(): Promise<void> {
    this.#healing.close();
    if (this.#checking) clearInterval(this.#checking);
    this.#pods.close();
    this.#sets.close();
    this.#nodes.close();
    this.#members.close();
    await this.#options.lead.release();
    this.#options.kube.close();
  }

  #check(): void {
    this.#members.check();
    this.#options.protection.require(this.#availability.required(this.#options.now()));
  }

  /** A new revision's pods are swapped first: the template is for Kruise alone, and its work would compete with theirs. */
  async #prepareLater(code: PreparedCode): Promise<CloneSet> {
    await new Promise((resolve) => setTimeout(resolve, TEMPLATE_AFTER_MS));
    return this.#prepare(this.#codes.get(code.functionUid)?.[0] ?? code);
  }

  /** The image is in the registry, and the function's CloneSet has it in its template. */
  async #prepare(code: PreparedCode): Promise<CloneSet> {
    const { pods, code: registry } = this.#options;
    await registry.publish(code.image);
    const name = functionSetName(code.functionUid);
    const image = registry.reference(code.image, tagOf(code.image));
    await this.#writer.ensure(name, () => functionSet(code.functionUid, code.pool, pods, image));
    await this.#writer.setImage(name, CODE_CONTAINER, image);
    return this.#writer.observed(name);
  }

  /** Moves the pod into a function's CloneSet. Kruise lets go at once of one that has not got the label by which that selects: its place is given back. */
  #claim(set: CloneSet, target: Target, { pod }: PodInstance, patch: (pod: Pod) => object): Promise<Dropped> {
    return this.#writer.claim(set.metadata.name, () =>
      this.#writer.moveOut(ownerOf(pod) ?? "", async () => {
        const found = await this.#patchPod(target, patch);
        if (found.labels.includes(LABEL.set)) throw dropped(found.labels);
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
      const { pod } = ofOurs ? this.#members.get(target.uid) : this.#members.matching(target);
      const path = this.#podPath(pod.metadata.name);
      try {
        const body = patch(pod);
        const answer = await kube.patch<Pod>(path, "strategic-merge", body, "claim");
        this.#pods.learn(answer);
        return droppedFrom(body, answer);
      } catch (error) {
        if ((error as KubeError).status !== 409 || attempt === PATCH_ATTEMPTS) throw error;
        this.#pods.found(await kube.get<Pod>(path));
      }
    }
  }

  #podPath(name: string): string {
    return `/api/v1/namespaces/${this.#options.kube.namespace}/pods/${name}`;
  }

  /**
   * Corrects CloneSets that are off (by dead pods, failed claims, or somebody's edit), and removes those of deleted
   * functions and former runtimes. What cannot be written now is tried again with the next look; `WriteFailures` tells of it.
   */
  async #heal(): Promise<void> {
    for (const set of this.#sets.all()) {
      const { metadata } = set;
      const uid = functionOfSet(set);
      const pool = poolOfSet(set);
      const isPools = !uid && pool !== "";
      const isFormer = isPools && metadata.name !== poolSetName(pool, this.#options.pods);
      await this.#writer.heal(metadata.name).catch(() => {});
      // A write that fails is told by `WriteFailures`, and tried again.
      const made = (isPools || uid) && !isFormer && !endingOf(set) ? this.#made(set) : null;
      if (made) await this.#templates.check(set, made).catch(() => {});
      if (isFormer) await this.#writer.delete(metadata.name).catch(() => {});
      else if (uid) await this.#collect(metadata.name, uid);
    }
  }

  /** A CloneSet as it is made now, whatever its code image is; null: nobody needs it. */
  #made(set: CloneSet): CloneSet | null {
    const { pods, code: registry } = this.#options;
    const uid = functionOfSet(set);
    if (uid === null) return poolSet(poolOfSet(set), pods) as CloneSet;
    const [released] = this.#codes.get(uid) ?? [];
    if (!released) return null;
    const { image } = set.spec.template.spec.containers.find(({ name }) => name === CODE_CONTAINER) ?? {};
    return functionSet(uid, released.pool, pods, image ?? registry.reference(released.image, tagOf(released.image))) as CloneSet;
  }

  /** The CloneSet of a function that is not there any more goes when it has no pods and may go. */
  async #collect(name: string, uid: string): Promise<void> {
    const set = this.#sets.get(name);
    if (!this.#retained || !set || this.#codes.has(uid) || this.#retained.functions.has(uid)) return;
    if (this.#writer.live(set).length > 0) return;
    const { collector } = this.#retained;
    const reason = collector.mayGo("function", uid);
    if (reason === null) return;
    await this.#writer.delete(name).then(
      () => collector.gone("function", uid, reason),
      () => {},
    );
  }
}

/** A tag that this pod has not run: it counts the pod's swaps. */
function swapTagOf(code: PreparedCode, pod: Pod): string {
  return `${code.revision}-${code.image.slice(7, 19)}-${pod.metadata.resourceVersion}`;
}

function dropped(names: readonly string[]): PlatformError {
  return new PlatformError("REFUSED", `something at the cluster, such as a webhook, takes ${names.join(", ")} away from pods, or changes them`);
}

function translated(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  if (!(error instanceof KubeError)) return new PlatformError("UNREACHABLE", (error as Error).message);
  const { status, message } = error;
  if (status === 409) return new PlatformError("CONFLICT", message);
  if (status === 404) return new PlatformError("NOT_FOUND", message);
  return new PlatformError(isRefusal(error) ? "REFUSED" : "UNREACHABLE", message);
}

/** The function whose invocations this instance can take, for all that the cluster says of it. */
function servedBy(instance: Instance | undefined): string | null {
  return instance && !instance.removing && instance.obstacle?.kind !== "ended" ? (instance.binding?.functionUid ?? null) : null;
}
