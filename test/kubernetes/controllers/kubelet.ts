import { badRequest, internalError } from "../api/api-error.ts";
import type { MemoryCluster } from "../cluster.ts";
import { type ApiObject, type Fields, valueAt } from "../objects/object.ts";
import { MemoryInstance } from "./instance.ts";
import { PodNetwork } from "./pod-network.ts";
import { hasEnded } from "./pod-rules.ts";
import { containersOf, logOf, RUNTIME, type Running, statusOf, takes } from "./running-pod.ts";

/** Milliseconds that things take on a node. */
const WATCH_MS = [1, 4] as const;
const SCHEDULE_MS = [2, 15] as const;
const START_MS = [300, 800] as const;
const SWAP_MS = [100, 200] as const;
/** A container that has ended is started again after this. */
const RESTART_MS = 400;
/** The kubelet tells a change of its pods after this at most. */
const RELIST_MS = [50, 900] as const;

/** Scheduler and kubelet of one node: pods get an address, and an instance that boots in their runtime container. */
export class Kubelet {
  readonly network = new PodNetwork();
  readonly node: string;
  readonly #cluster: MemoryCluster;
  readonly #running = new Map<string, Running>();
  readonly #seen = new Set<string>();
  /** Told of each instance that begins to boot. */
  onInstance: (instance: MemoryInstance) => void = () => {};
  /** False: the API server cannot ask it for logs. */
  isReachable = true;
  /** It stands still: nothing starts, ends, or is told. */
  frozen = false;
  /** Lines that something else writes to the log before the runtime does. */
  firstLines: readonly string[] = [];

  constructor(cluster: MemoryCluster, node = "node-1") {
    this.#cluster = cluster;
    this.node = node;
    const labels = { "kubernetes.io/hostname": node, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" };
    cluster.make("/api/v1/nodes", { metadata: { name: node, labels }, spec: {} });
    cluster.api.log = (pod, query) => this.#log(pod, query);
    const check = ({ metadata }: ApiObject) =>
      this.#after(WATCH_MS, () => {
        const pod = this.#find(metadata.uid);
        if (pod) this.#check(pod);
        else this.#gone(metadata.uid);
      });
    cluster.store.listen({
      changed: ({ resource, object }) => {
        if (resource === "/pods") check(object);
        else if (resource === "/nodes") for (const pod of cluster.store.list("/pods")) check(pod);
      },
      restored: () => {
        for (const uid of this.#running.keys()) if (!this.#find(uid)) this.#after(WATCH_MS, () => this.#gone(uid));
        for (const pod of cluster.store.list("/pods")) check(pod);
      },
    });
  }

  instanceOf(uid: string): MemoryInstance | undefined {
    return this.#running.get(uid)?.instance;
  }

  hostOf(uid: string): string | undefined {
    return this.#running.get(uid)?.host;
  }

  /** Instances that live, by the uid of their pod. */
  instances(): Map<string, MemoryInstance> {
    return new Map([...this.#running].map(([uid, { instance }]) => [uid, instance]));
  }

  /** The log is rotated: what was written so far cannot be read any more. */
  rotateLog(uid: string): void {
    const running = this.#running.get(uid);
    if (!running) return;
    running.log = [];
    running.instance.output.length = 0;
  }

  /** The node was restarted: all processes are gone, and pods come back under other addresses. */
  reboot(): void {
    for (const running of this.#running.values()) {
      this.network.detach(running.host);
      running.host = this.network.address();
      running.instance.end();
    }
  }

  #check(pod: ApiObject): void {
    const { uid, deletionTimestamp } = pod.metadata;
    if (hasEnded(pod) && this.#running.has(uid)) return this.#stop(uid);
    if (deletionTimestamp) return this.#terminate(uid);
    if (valueAt(pod, ["spec", "nodeName"]) === this.node) return this.#swap(pod);
    if (valueAt(pod, ["spec", "nodeName"]) || this.#seen.has(uid) || !this.#takes(pod)) return;
    this.#seen.add(uid);
    this.#after(SCHEDULE_MS, () => {
      const current = this.#find(uid);
      this.#seen.delete(uid);
      if (!current || current.metadata.deletionTimestamp || !this.#takes(current)) return;
      this.#write({ ...current, spec: { ...(current.spec as Fields), nodeName: this.node } });
      this.#after(START_MS, () => this.#start(uid));
    });
  }

  #takes(pod: ApiObject): boolean {
    return takes(this.#cluster.store.get("/nodes", null, this.node), pod);
  }

  #start(uid: string): void {
    const pod = this.#find(uid);
    if (!pod || pod.metadata.deletionTimestamp || this.#running.has(uid)) return;
    const { name, namespace = "" } = pod.metadata;
    const images = Object.fromEntries(containersOf(pod).map((container) => [container.name, container.image]));
    const restarts = Object.fromEntries(Object.keys(images).map((container) => [container, 0]));
    const running: Running = {
      uid,
      name,
      namespace,
      host: this.network.address(),
      instance: this.#boot(uid, false),
      restarts,
      images,
      isEnding: false,
      log: [...this.firstLines],
    };
    this.#running.set(uid, running);
    this.network.attach(running.host, running.instance);
    this.onInstance(running.instance);
    this.#tell(running);
  }

  #boot(uid: string, again: boolean): MemoryInstance {
    return new MemoryInstance(uid, again, { exited: () => this.#exited(uid) });
  }

  /** The runtime container has ended: it is started again, unless its pod is ending. */
  #exited(uid: string): void {
    const running = this.#running.get(uid);
    if (!running) return;
    this.network.detach(running.host);
    if (running.isEnding) return;
    this.#after([RESTART_MS, RESTART_MS], () => {
      if (running.isEnding || this.#running.get(uid) !== running) return;
      running.restarts[RUNTIME] = (running.restarts[RUNTIME] ?? 0) + 1;
      running.instance = this.#boot(uid, true);
      running.log = [];
      this.network.attach(running.host, running.instance);
      this.onInstance(running.instance);
      this.#tell(running);
    });
  }

  /** Containers whose image has changed are started anew with it. */
  #swap(pod: ApiObject): void {
    const running = this.#running.get(pod.metadata.uid);
    for (const { name, image } of running ? containersOf(pod) : []) {
      if (!running || running.images[name] === image) continue;
      running.images[name] = image;
      this.#after(SWAP_MS, () => {
        if (running.images[name] !== image || running.isEnding) return;
        running.restarts[name] = (running.restarts[name] ?? 0) + 1;
        if (name === RUNTIME) running.instance.end();
        this.#tell(running);
      });
    }
  }

  #terminate(uid: string): void {
    const running = this.#running.get(uid);
    const pod = this.#find(uid);
    if (!running) {
      // It has not begun to run, or has ended: there is nothing to wait for.
      if (pod && valueAt(pod, ["spec", "nodeName"]) === this.node) this.#after(RELIST_MS, () => this.#remove(uid));
      return;
    }
    if (running.isEnding) return;
    running.isEnding = true;
    running.instance.terminate();
    const ended = () => {
      if (!running.instance.ended) return this.#after([50, 50], ended);
      this.#running.delete(uid);
      this.#remove(uid);
    };
    ended();
  }

  /** Deletes the object once no container runs and no finalizer holds it. */
  #remove(uid: string): void {
    const pod = this.#find(uid);
    if (!pod) return;
    if (!pod.metadata.finalizers?.length) {
      this.#cluster.store.remove("/pods", pod.metadata.namespace ?? null, pod.metadata.name);
      return;
    }
    this.#write({ ...pod, metadata: { ...pod.metadata, deletionGracePeriodSeconds: 0 }, status: { ...(pod.status as Fields), phase: "Succeeded" } });
  }

  /** Another party has declared that it has ended: an eviction, or its deadline. */
  #stop(uid: string): void {
    const running = this.#running.get(uid);
    if (!running) return;
    running.isEnding = true;
    running.instance.end();
    this.#running.delete(uid);
  }

  /** The object was deleted without waiting for us. */
  #gone(uid: string): void {
    this.#seen.delete(uid);
    const running = this.#running.get(uid);
    if (!running) return;
    running.isEnding = true;
    this.#running.delete(uid);
    running.instance.end();
    this.network.detach(running.host);
  }

  /** The status follows what runs, some time later. */
  #tell(running: Running): void {
    this.#after(RELIST_MS, () => {
      const pod = this.#find(running.uid);
      if (!pod || hasEnded(pod) || this.#running.get(running.uid) !== running) return;
      this.#write({ ...pod, status: { ...(pod.status as Fields), ...statusOf(running) } });
    });
  }

  #log(pod: ApiObject, query: Readonly<Record<string, string>>): string {
    if (!valueAt(pod, ["spec", "nodeName"])) return "";
    if (!this.isReachable) throw internalError(`Get "https://${this.node}:10250/containerLogs": dial tcp: i/o timeout`);
    const running = this.#running.get(pod.metadata.uid);
    const container = query.container ?? RUNTIME;
    if (!running) throw badRequest(`container "${container}" in pod "${pod.metadata.name}" is waiting to start: ContainerCreating`);
    return logOf(running, container, query.limitBytes);
  }

  #find(uid: string): ApiObject | undefined {
    return this.#cluster.store.list("/pods").find(({ metadata }) => metadata.uid === uid);
  }

  #write(pod: ApiObject): void {
    this.#cluster.store.put("/pods", pod);
  }

  /** A kubelet that is paused does the work when it continues. */
  #after([from, to]: readonly [number, number], work: () => void): void {
    const run = () => (this.frozen ? setTimeout(run, 100) : work());
    setTimeout(run, from + Math.random() * (to - from));
  }
}
