import { CONTROL_PORT, type LoadAnswer } from "../../../runtime-images/protocol/messages.ts";
import { PeriodicTask } from "../../async/periodic-task.ts";
import { SequencerByKey } from "../../async/sequencer.ts";
import { until } from "../../async/wait.ts";
import type { Collector } from "../../functions/retention.ts";
import type { KubeClient } from "../../kubernetes/client.ts";
import { type Change, Informer } from "../../kubernetes/informer/informer.ts";
import { ControlClient } from "../control-client.ts";
import {
  type Binding,
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
import { Claims } from "./claims.ts";
import { CloneSets } from "./clonesets/clonesets.ts";
import { functionSetName, type PodSettings, poolSet, poolSetName, templatesOf } from "./clonesets/manifests.ts";
import { TemplateKeeper } from "./clonesets/template-keeper.ts";
import { CloneSetHealing } from "./clonesets-healing.ts";
import type { ClusterKeys } from "./cluster-keys.ts";
import type { CodeRegistry } from "./code/code-registry.ts";
import type { InlineArchives } from "./code/inline-archive.ts";
import { Availability } from "./disruption/availability.ts";
import type { DisruptionBudgets } from "./disruption/budgets.ts";
import { FunctionCodes } from "./function-codes.ts";
import type { Lead } from "./leader-election/lead.ts";
import { CLONESETS, type CloneSet, type Pod } from "./objects/objects.ts";
import { platformError } from "./objects/platform-errors.ts";
import { isBerths, isBerthsSet } from "./objects/pod-owner.ts";
import { PodRemovals } from "./pod-removals.ts";
import { Nodes } from "./pods/nodes.ts";
import type { OpenControl } from "./pods/pod-connection.ts";
import { PodInstances } from "./pods/pod-instances.ts";
import { servedBy } from "./pods/pod-record.ts";
import { Resizes } from "./resources/resizes.ts";

/** With the order, or by the swapped image alone. */
export type PodLoadPath = Exclude<LoadPath, "volume">;

export interface KruiseOptions {
  kube: KubeClient;
  keys: ClusterKeys;
  /** Its term is recorded with each write. */
  lead: Lead;
  pods: PodSettings;
  /** Whether the API server resizes pods. */
  canResize: boolean;
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
/** Nobody waits for the claim of an instance that was loaded inline: more of them may share a write. */
const RAISE_EVERY_MS: Record<PodLoadPath, number> = { inline: 300, image: 100 };
/** A first table waits this long at most for instances to say what they serve. */
const SPEAK_MS = 3000;

/** Pods of OpenKruise CloneSets: one CloneSet for each pool, and one for each function and pool, to which claimed pods are moved. */
export class KruisePlatform implements Platform {
  readonly kind = "kruise";
  readonly loadPath: PodLoadPath;
  readonly #options: KruiseOptions;
  readonly #pods: Informer<Pod>;
  readonly #sets: Informer<CloneSet>;
  readonly #nodes: Nodes;
  readonly #writer: CloneSets;
  readonly #members: PodInstances;
  readonly #availability = new Availability();
  readonly #templates: TemplateKeeper;
  readonly #codes: FunctionCodes;
  readonly #claims: Claims;
  readonly #removals: PodRemovals;
  readonly #resizes: Resizes;
  readonly #healing: CloneSetHealing;
  /** Healing, one round after the other: where writes hang, those behind them would pile up. */
  readonly #rounds: PeriodicTask;
  #checking: NodeJS.Timeout | null = null;

  constructor(options: KruiseOptions) {
    this.#options = options;
    this.loadPath = options.loadPath;
    const { kube, keys, now, onTrouble } = options;
    // All pods and CloneSets of the namespace are looked at: one whose labels were changed would not be selected by them.
    this.#pods = new Informer<Pod>(kube, {
      path: `/api/v1/namespaces/${kube.namespace}/pods`,
      accepts: (pod) => isBerths(pod, this.#sets) || this.#members.has(pod.metadata.uid),
      onChange: (change) => this.#podChanged(change),
    });
    const path = `${CLONESETS}/namespaces/${kube.namespace}/clonesets`;
    this.#sets = new Informer<CloneSet>(kube, { path, accepts: isBerthsSet, onChange: (change) => this.#setChanged(change) });
    this.#nodes = new Nodes(kube, (name) => this.#members.nodeChanged(name), now);
    const templates = templatesOf(options.pods);
    const { openControl = (instance) => new ControlClient({ ...instance, port: CONTROL_PORT, key: keys.signing }) } = options;
    this.#members = new PodInstances({ kube, keys, templates, openControl, now, pods: this.#pods, sets: this.#sets, nodes: this.#nodes });
    this.#members.watch((uid) => this.#availability.observe(uid, servedBy(this.#members.instances.get(uid)), now()));
    this.#writer = new CloneSets({ kube, sets: this.#sets, pods: this.#pods, term: options.lead.term, raiseEveryMs: RAISE_EVERY_MS[options.loadPath] });
    this.#templates = new TemplateKeeper({ write: (name, patch) => this.#writer.mend(name, patch), onTrouble: options.onTrouble, now });
    const parts = { registry: options.code, sets: this.#sets, writer: this.#writer };
    this.#codes = new FunctionCodes({ ...parts, pods: options.pods });
    const moves = new SequencerByKey();
    const ofPods = { kube, members: this.#members, moves };
    this.#claims = new Claims({ ...parts, ...ofPods, pods: this.#pods, codes: this.#codes, templates, term: options.lead.term, now });
    this.#removals = new PodRemovals({ ...parts, ...ofPods, asked: (uid) => this.#availability.asked(uid) });
    this.#healing = new CloneSetHealing({ ...parts, pods: options.pods, templates: this.#templates, codes: this.#codes });
    const resourcesOf = (pool: string) => options.pods.pools[pool]?.resources;
    this.#resizes = new Resizes({ kube, pods: this.#pods, resourcesOf, isSupported: options.canResize, onTrouble });
    const onHealing = (message: string | null) => onTrouble("look at CloneSets", message);
    this.#rounds = new PeriodicTask(() => this.#healing.heal(), HEAL_EVERY_MS, onHealing);
  }

  async start(): Promise<void> {
    await this.#nodes.start();
    // CloneSets first: a pod is Berth's by its owner.
    await this.#sets.start();
    await this.#pods.start();
    // A table without those that only have not spoken yet would take them from their routers.
    await until(() => !this.#members.anySilent(), { boundMs: SPEAK_MS, everyMs: 10 });
    this.#rounds.start();
    this.#checking = setInterval(() => this.#check(), CHECK_EVERY_MS);
  }

  observe(): Observation {
    const { instances } = this.#members;
    return { synced: this.#pods.synced && this.#sets.synced, instances, counted: () => this.#writer.counted(), refusals: () => this.#writer.refusals() };
  }

  readonly watch = (listener: (uid: string) => void) => this.#members.watch(listener);

  readonly onLog = (listener: LogListener) => this.#members.onLog(listener);

  async scalePool(pool: PoolTarget, scale: PoolScale): Promise<void> {
    const { pods } = this.#options;
    try {
      const name = poolSetName(pool.name, pods);
      const count = () => shortage(pool, scale, this.#members.instances.values());
      await this.#writer.create(name, () => poolSet(pool.name, pods), count);
    } catch (error) {
      throw platformError(error);
    }
  }

  prepareCode(codes: readonly [PreparedCode, ...PreparedCode[]]): void {
    this.#codes.set(codes);
    if (this.loadPath === "inline") for (const code of codes) this.#options.inline.prepare(code);
    const published = Promise.all(codes.map(({ image }) => this.#options.code.publish(image)));
    // The first code of each pool is the one that its CloneSet has.
    const released = codes.filter((code) => codes.find(({ pool }) => pool === code.pool) === code);
    const prepared = released.map((code) => {
      const isNew = this.#sets.get(functionSetName(code.functionUid, code.pool)) === undefined;
      return isNew ? this.#codes.prepare(code) : published.then(() => this.#codes.prepareLater(code));
    });
    // The claim that needs it tries again, and tells.
    for (const promise of [published, ...prepared]) promise.catch(() => {});
  }

  retainCode(needed: NeededCode, collector: Collector): void {
    // A later leader's functions are not among these.
    if (!this.#options.lead.certain()) return;
    const { functions, layers } = needed;
    this.#codes.retain(functions);
    this.#options.code.retain(needed, collector);
    this.#options.inline.retain(layers, collector);
    this.#healing.retain({ functions, collector });
  }

  async load(order: OpenOrder, code: Uint8Array): Promise<LoadAnswer> {
    const { link, pod, pool } = this.#members.get(order.uid);
    if (!link) throw new PlatformError("UNREACHABLE", `the instance ${order.uid} has no address yet`);
    const { keys, inline } = this.#options;
    const key = keys.instanceKey(order.uid, order.bootId);
    // A function with an image is loaded inline: the order carries the way to start it, and the image brings the program.
    const isInline = this.loadPath === "inline" || order.settings.image !== undefined;
    const archive = isInline ? await inline.archive(order.digest, order.settings.entry, code) : null;
    const source = archive ? ({ kind: "inline", archive: archive.digest } as const) : ({ kind: "image" } as const);
    const answer = await link.load({ ...order, key, source }, archive?.data ?? new Uint8Array());
    this.#members.echoed(order.uid, answer.echo);
    if (answer.accepted) void this.#resizes.resize(pod, pool, order.settings.resources);
    return answer;
  }

  bind(target: Target, binding: Binding): Promise<void> {
    return this.#claims.bind(target, binding);
  }

  async drain(uid: string, deadlineMs: number): Promise<void> {
    if (!this.#options.lead.certain()) throw new PlatformError("UNREACHABLE", "not certain to be the leader: nothing is ended");
    const { link } = this.#members.get(uid);
    if (!link) throw new PlatformError("UNREACHABLE", `the instance ${uid} has no address yet`);
    this.#availability.asked(uid);
    await link.drain(deadlineMs);
  }

  remove(target: Target): Promise<void> {
    return this.#removals.remove(target);
  }

  /** Lets go of the cluster: its instances go on serving. */
  async close(): Promise<void> {
    this.#rounds.close();
    if (this.#checking) clearInterval(this.#checking);
    this.#pods.close();
    this.#sets.close();
    this.#nodes.close();
    this.#members.close();
    await this.#options.lead.release();
    this.#options.kube.close();
  }

  #podChanged(change: Change<Pod>): void {
    this.#writer.podChanged(change.object);
    if (change.type === "present") this.#resizes.observe(change.object);
    else this.#resizes.forget(change.object.metadata.uid);
    this.#members.podChanged(change);
  }

  #setChanged({ type, object }: Change<CloneSet>): void {
    if (type === "present") return this.#writer.noticed(object);
    this.#writer.gone(object);
    this.#templates.forget(object.metadata.name);
  }

  #check(): void {
    this.#members.check();
    this.#options.protection.require(this.#availability.required(this.#options.now()));
  }
}
