import type { Echo } from "../../../../runtime-images/protocol/messages.ts";
import type { KubeClient } from "../../../kubernetes/client.ts";
import type { Change, Informer } from "../../../kubernetes/informer/informer.ts";
import { checkVersion, type Instance, type LogListener, noInstance, type Obstacle, type Target } from "../../platform.ts";
import { UndoneRemovals } from "../clonesets/undone-removals.ts";
import type { ClusterKeys } from "../cluster-keys.ts";
import { ANNOTATION, type Pod } from "../objects/objects.ts";
import { type KnownSets, podOwnerOf } from "../objects/pod-owner.ts";
import { isCurrent, type PodTemplate } from "../objects/template.ts";
import { firstKnown, isEnding, isNews, type Known } from "./known.ts";
import type { Nodes } from "./nodes.ts";
import { connectionSeen, firstSight, type NodeTrouble, obstacleOf, sighted, silenceOf } from "./obstacle.ts";
import { type ConnectionEvents, type OpenControl, PodConnection } from "./pod-connection.ts";
import { hasSwapped, podRecordOf, SWAP_DEADLINE_MS, substanceOf } from "./pod-record.ts";
import { PodWarnings } from "./pod-warnings.ts";

export interface PodInstancesOptions {
  kube: KubeClient;
  keys: ClusterKeys;
  /** The templates of instances of the present version, by pool. */
  templates: ReadonlyMap<string, PodTemplate>;
  openControl: OpenControl;
  now(): number;
  pods: Pick<Informer<Pod>, "synced" | "get">;
  sets: KnownSets;
  nodes: Pick<Nodes, "isClosed" | "troubleOf">;
}

export interface PodInstance {
  pod: Pod;
  /** The pool that it was last known to belong to: one that has lost its CloneSet and its labels belongs there still. */
  pool: string;
  known: Known;
  link: PodConnection | null;
}

/** The pods of pools and functions as instances: what the API server shows of each, joined with what it says of itself. */
export class PodInstances {
  /** As `Observation` has them. */
  readonly instances = new Map<string, Instance>();
  readonly #options: PodInstancesOptions;
  readonly #members = new Map<string, PodInstance>();
  readonly #warnings: PodWarnings;
  readonly #undone: UndoneRemovals;
  readonly #listeners = new Set<(uid: string) => void>();
  readonly #logListeners = new Set<LogListener>();

  constructor(options: PodInstancesOptions) {
    this.#options = options;
    this.#warnings = new PodWarnings(options.kube, options.now);
    this.#undone = new UndoneRemovals(options.kube, options.sets, { undone: (uid) => this.asked(this.get(uid), null), gone: (uid) => this.#forget(uid) });
  }

  watch(listener: (uid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onLog(listener: LogListener): void {
    this.#logListeners.add(listener);
  }

  /** Throws `NOT_FOUND`. */
  get(uid: string): PodInstance {
    const member = this.#members.get(uid);
    if (!member) throw noInstance(uid);
    return member;
  }

  /** Throws `CONFLICT` where it is not as it was decided upon. */
  matching(target: Target): PodInstance {
    const member = this.get(target.uid);
    checkVersion(String(member.known.version), target);
    return member;
  }

  /** Some instance that seems to run has not said yet what it serves: one that has no record of a function may have been given one a moment ago. */
  anySilent(): boolean {
    return [...this.#members.values()].some(({ known }) => !known.echo && known.seen.runningSince !== null && !isEnding(known));
  }

  has(uid: string): boolean {
    return this.#members.has(uid);
  }

  podChanged({ type, object: pod }: Change<Pod>): void {
    const { uid } = pod.metadata;
    const member = this.#members.get(uid);
    if (type === "present") {
      if (!member) return this.#add(pod);
      if (substanceOf(pod) !== substanceOf(member.pod)) member.known.version += 1;
      this.#moved(member, pod);
      member.pod = pod;
      member.known.seen = sighted(member.known.seen, pod, this.#options.now());
      this.#connect(member);
      this.#refresh(member);
    } else if (member && (type === "deleted" || !member.link?.connected)) {
      this.#forget(uid);
    } else if (member) {
      // A listing may be wrong, and the instance answers: it goes on with what it does, and gets nothing new.
      member.known.seen = { ...member.known.seen, missingSince: member.known.seen.missingSince ?? this.#options.now() };
      this.#refresh(member);
    }
  }

  /** The API server itself has said that there is no such pod. */
  vanished(uid: string): void {
    this.#forget(uid);
  }

  /** Records an instance's echo, unless a newer one is known. */
  echoed(uid: string, echo: Echo): void {
    const member = this.#members.get(uid);
    if (!member || echo.uid !== uid || !isNews(member.known, echo)) return;
    const { now, keys } = this.#options;
    const { known } = member;
    known.echo = echo;
    known.readyAt ??= echo.state === "prewarmed" ? now() : null;
    known.key = keys.instanceKey(uid, echo.bootId);
    this.#refresh(member);
  }

  /** A node takes no more pods, or is away; or does so no longer. */
  nodeChanged(name: string): void {
    for (const member of this.#members.values()) if (member.pod.spec.nodeName === name) this.#refresh(member);
  }

  /** Its deletion was asked of that CloneSet (or of nobody: ""); null: that has come to nothing. */
  asked(member: PodInstance, owner: string | null): void {
    member.known.askedOf = owner;
    member.known.version += 1;
    this.#refresh(member);
  }

  /** Applies the changes that come with time alone: swaps that take too long, deletions that are overdue, and those that will not happen. */
  check(): void {
    for (const member of this.#members.values()) {
      this.#checkSwap(member);
      if (member.known.askedOf !== null) this.#undone.check(member.pod, this.#options.now());
      if (this.instances.get(member.pod.metadata.uid)?.obstacle?.kind === "blocked") this.#warnings.check(member.pod);
      if (this.instances.get(member.pod.metadata.uid)?.obstacle?.message !== this.#obstacleOf(member)?.message) this.#refresh(member);
    }
  }

  /** Instances go on serving. */
  close(): void {
    for (const { link } of this.#members.values()) link?.close();
  }

  #add(pod: Pod): void {
    const { pods } = this.#options;
    const now = this.#options.now();
    // A pod that the first listing shows is at least a moment older than this pool manager, whatever the clocks say.
    const ageMs = pods.synced ? 0 : Math.max(1, this.#options.kube.serverTime() - Date.parse(pod.metadata.creationTimestamp));
    const known = firstKnown(now - ageMs, sighted(firstSight(now), pod, now), false);
    const member: PodInstance = { pod, pool: "", known, link: null };
    this.#members.set(pod.metadata.uid, member);
    this.#connect(member);
    this.#refresh(member);
  }

  /** A pod whose sandbox was made anew has another address: nothing at the former one is it. */
  #moved(member: PodInstance, pod: Pod): void {
    const before = member.pod.status.podIP;
    if (before === pod.status.podIP) return;
    if (pod.status.podIP) member.link?.moved(pod.status.podIP);
    member.known.seen = { ...member.known.seen, runningSince: null, unconnectedSince: this.#options.now() };
  }

  #connect(member: PodInstance): void {
    const { uid, name, annotations } = member.pod.metadata;
    const { podIP } = member.pod.status;
    if (member.link || !podIP) return;
    const target = { uid, name, host: podIP, fingerprint: annotations?.[ANNOTATION.fingerprint] || null };
    const events: ConnectionEvents = {
      line: ({ echo, log }) => {
        if (echo) this.echoed(uid, echo);
        else for (const listener of this.#logListeners) listener(uid, log ?? "");
      },
      changed: () => this.#linkChanged(member),
      broken: () => {
        if (!this.#options.pods.get(name)) this.#forget(uid);
      },
    };
    const { kube, openControl, now } = this.#options;
    member.link = new PodConnection(kube, openControl, target, events, now);
  }

  #linkChanged(member: PodInstance): void {
    member.known.seen = connectionSeen(member.known.seen, member.link?.connected ?? false, this.#options.now());
    this.#refresh(member);
  }

  #obstacleOf({ pod, known, link }: PodInstance): Obstacle | null {
    const trouble = known.seen.runningSince === null ? this.#warnings.of(pod) : (link?.trouble ?? null);
    return obstacleOf(pod, known.seen, trouble, known.seen.runningSince === null ? this.#nodeTroubleOf(pod) : null, this.#options.now());
  }

  #nodeTroubleOf({ spec: { nodeName } }: Pod): NodeTrouble | null {
    if (nodeName === undefined) return null;
    const isHeardThere = ({ pod, known }: PodInstance) => pod.spec.nodeName === nodeName && known.echo !== null;
    const neighbours = () => [...this.#members.values()].filter(isHeardThere).map(({ known }) => known.seen);
    return this.#options.nodes.troubleOf(nodeName) ?? silenceOf(neighbours());
  }

  /** The answer to a write of ours, or a link's last word, may come when the pod is forgotten already. */
  #refresh(member: PodInstance): void {
    if (this.#members.get(member.pod.metadata.uid) !== member) return;
    const belonging = podOwnerOf(member.pod, this.#options.sets);
    member.pool = belonging.pool || member.pool;
    member.known.isCurrent ||= isCurrent(member.pod, member.pool, this.#options.templates);
    const record = podRecordOf(member.pod, member.known, {
      ...belonging,
      pool: member.pool,
      replace: this.#replaceOf(member),
      obstacle: this.#obstacleOf(member),
    });
    this.instances.set(record.uid, record);
    this.#notify(record.uid);
  }

  #replaceOf({ pod, known }: PodInstance): Instance["replace"] {
    if (this.#options.nodes.isClosed(pod.spec.nodeName)) return "node";
    return known.isCurrent ? null : "version";
  }

  #forget(uid: string): void {
    this.#members.get(uid)?.link?.close();
    this.#members.delete(uid);
    this.#warnings.forget(uid);
    this.#undone.forget(uid);
    this.instances.delete(uid);
    this.#notify(uid);
  }

  #notify(uid: string): void {
    for (const listener of this.#listeners) listener(uid);
  }

  #checkSwap(member: PodInstance): void {
    const { known, pod } = member;
    if (known.swapSince === null) return;
    if (hasSwapped(pod)) known.swapSince = null;
    const overdue = known.swapSince !== null && this.#options.now() - known.swapSince > SWAP_DEADLINE_MS;
    if (overdue === known.overdue) return;
    known.overdue = overdue;
    this.#refresh(member);
  }
}
