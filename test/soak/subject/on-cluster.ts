import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deleteNamespace } from "../../../bench/cluster/namespace.ts";
import { RegistryClient } from "../../../pool-manager/images/registry.ts";
import { KUBECONFIG, NODE_IP } from "../../cluster/machine/layout.ts";
import { pidOf } from "../../cluster/machine/processes.ts";
import { startSecondNode, stopSecondNode } from "../../cluster/machine/second-node.ts";
import { ClusterView } from "../../cluster/subject/cluster-view.ts";
import { CACHE_DIR, clusterConfig } from "../../cluster/subject/subject.ts";
import { freePort } from "../../helpers/free-port.ts";
import type { Act } from "../acts/act.ts";
import { ClusterFaults } from "../acts/cluster-faults.ts";
import { HandActs } from "../acts/hand-acts.ts";
import { NodeLoss } from "../acts/node-loss.ts";
import type { History } from "../history.ts";
import type { BerthProcess } from "./berth-process.ts";
import { type Installation, MANAGER_FLAGS } from "./installation.ts";
import { ManagerPair } from "./manager-pair.ts";
import { Routers } from "./routers.ts";

const ROUTERS = 2;

/** Two pool managers and two routers as processes of this machine, and instances as pods in a namespace of its own. */
export class OnCluster implements Installation {
  readonly host = process.env.BERTH_TEST_HOST ?? NODE_IP;
  readonly routers: Routers;
  readonly #history: History;
  readonly #random: () => number;
  readonly #view: ClusterView;
  readonly #managers: ManagerPair;
  readonly #stateDirs: readonly string[];
  /** The parts of the cluster may be stopped: it is the one of `npm run cluster:up`. */
  readonly #isOurs: boolean;

  private constructor(history: History, random: () => number, view: ClusterView, ports: readonly number[]) {
    this.#history = history;
    this.#random = random;
    this.#view = view;
    const { kubeconfig, registry } = clusterConfig(view.namespace);
    this.#isOurs = kubeconfig === KUBECONFIG && pidOf("kruise") !== null;
    this.#stateDirs = ports.map(() => mkdtempSync(join(tmpdir(), "berth-soak-")));
    const cluster = ["--platform", "kruise", "--kubeconfig", kubeconfig ?? "", "-n", view.namespace, "--registry", registry];
    const seats = ports.map((port, n) => {
      const own = ["--api-port", String(port), "--state-dir", this.#stateDirs[n] ?? ""];
      return { url: `http://127.0.0.1:${port}`, args: ["manager", ...own, ...MANAGER_FLAGS, ...cluster] };
    });
    this.#managers = new ManagerPair(history, random, seats);
    this.routers = new Routers(history, (n) => ["--url", seats[n % seats.length]?.url ?? ""]);
  }

  static async start(history: History, random: () => number): Promise<OnCluster> {
    process.env.BERTH_CACHE_DIR ??= CACHE_DIR;
    const namespace = `berth-soak-${randomBytes(4).toString("hex")}`;
    process.env.KUBECONFIG ??= clusterConfig(namespace).kubeconfig ?? "";
    const view = await ClusterView.open(namespace);
    const started = new OnCluster(history, random, view, [await freePort(), await freePort()]);
    try {
      if (started.#isOurs) await startSecondNode();
      await started.#managers.start();
      for (let n = 0; n < ROUTERS; n++) await started.routers.start(n);
    } catch (error) {
      await started.close();
      throw error;
    }
    return started;
  }

  manageUrl(): string {
    return this.#managers.url();
  }

  acts(): Act[] {
    const hand = new HandActs(this.#history, this.#random, this.#view).acts();
    const ofCluster = this.#isOurs ? [...new ClusterFaults(this.#history).acts(), ...new NodeLoss(this.#history, this.#view).acts()] : [];
    return [...this.routers.acts(this.#random), ...this.#managers.acts(), ...hand, ...ofCluster];
  }

  processes(): { of: string; process: BerthProcess }[] {
    return [...this.#managers.processes, ...this.routers.processes];
  }

  async places(): Promise<number> {
    return (await this.#view.instancePods()).length;
  }

  async images(): Promise<string[]> {
    const registry = new RegistryClient({ registry: clusterConfig(this.#view.namespace).registry, login: async () => null, insecure: false });
    const { metadata } = await this.#view.kube.get<{ metadata: { uid: string } }>(`/api/v1/namespaces/${this.#view.namespace}`);
    const repository = `berth/code-${metadata.uid.slice(0, 8)}`;
    const digests = await Promise.all((await registry.tags(repository)).map((tag) => registry.digest(repository, tag)));
    return digests.filter((digest) => digest !== null);
  }

  ledMs(): number {
    return this.#managers.ledMs();
  }

  async close(): Promise<string[]> {
    const strays: string[] = [];
    const bounded = (what: string, end: Promise<unknown>) => end.catch((error: Error) => strays.push(`${what}: ${error.message}`));
    await bounded("routers", this.routers.close());
    await bounded("pool managers", this.#managers.close());
    this.#view.close();
    await bounded("namespace", deleteNamespace(this.#view.namespace));
    if (this.#isOurs) await bounded("second node", stopSecondNode());
    for (const dir of this.#stateDirs) rmSync(dir, { recursive: true, force: true });
    return strays;
  }
}
