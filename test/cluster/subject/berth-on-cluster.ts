import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTemporary, type UpOptions } from "../../../cli/up.ts";
import type { InstanceRow } from "../../../pool-manager/api/schemas/schemas.ts";
import { RegistryClient } from "../../../pool-manager/images/registry.ts";
import { TestBerth, until } from "../../helpers/berth.ts";
import { ClusterView } from "./cluster-view.ts";
import { Invariants } from "./invariants.ts";
import { clusterConfig, clusterOptions, deleteNamespace, freshNamespace } from "./subject.ts";

/** A Berth in a namespace of its own, the namespace as the API server shows it, and what may never happen in it. */
export class ClusterBerth {
  readonly berth: TestBerth;
  readonly view: ClusterView;
  readonly invariants: Invariants;
  readonly namespace: string;
  readonly stateDir: string;

  private constructor(berth: TestBerth, view: ClusterView, invariants: Invariants, stateDir: string) {
    this.berth = berth;
    this.view = view;
    this.invariants = invariants;
    this.namespace = view.namespace;
    this.stateDir = stateDir;
  }

  static async start(
    options: Partial<UpOptions> = {},
    namespace = freshNamespace(),
    stateDir = mkdtempSync(join(tmpdir(), "berth-test-")),
  ): Promise<ClusterBerth> {
    const berth = new TestBerth(await startTemporary({ ...clusterOptions(namespace), stateDir, ...options }));
    const view = await ClusterView.open(namespace);
    const invariants = await Invariants.watch(berth.berth.manageUrl, view);
    const { size } = await berth.api.get<{ size: number }>("/v1/pools/node");
    await berth.prewarmed(size);
    return new ClusterBerth(berth, view, invariants, stateDir);
  }

  /** Its successor in the same namespace; this one has been closed. */
  async again(options: Partial<UpOptions>, stateDir: string): Promise<ClusterBerth> {
    this.invariants.close();
    this.view.close();
    return ClusterBerth.start(options, this.namespace, stateDir);
  }

  /** Checks what the run has shown, and removes the namespace. */
  async finish(): Promise<void> {
    await until(() => this.view.balanced(), "every CloneSet counts its pods");
    await this.invariants.checkEnd();
    this.invariants.close();
    await this.berth.close();
    this.view.close();
    await deleteNamespace(this.namespace);
  }

  /** Tags of the code images in the registry. */
  async imageTags(): Promise<string[]> {
    const { registry, repository } = await this.#images();
    return registry.tags(repository);
  }

  async #images(): Promise<{ registry: RegistryClient; repository: string }> {
    const registry = new RegistryClient({ registry: clusterConfig(this.namespace).registry, login: async () => null, insecure: false });
    const { metadata } = await this.view.kube.get<{ metadata: { uid: string } }>(`/api/v1/namespaces/${this.namespace}`);
    return { registry, repository: `berth/code-${metadata.uid.slice(0, 8)}` };
  }

  /** Takes the code image that is not among the known ones out of the registry, as soon as it is there and before a node has it. */
  async removeImage(known: readonly string[] = []): Promise<void> {
    const { registry, repository } = await this.#images();
    let tag: string | undefined;
    await until(async () => {
      tag = (await registry.tags(repository)).find((one) => !known.includes(one));
      return tag !== undefined;
    }, "the image is pushed");
    const digest = await registry.digest(repository, tag ?? "");
    if (!digest || !(await registry.deleteManifest(repository, digest))) throw new Error("the image could not be removed");
  }

  /** Warm instances of the function, as the pool manager lists them. */
  async allWarm(name: string): Promise<InstanceRow[]> {
    return (await this.berth.instances()).filter((instance) => instance.function === name && instance.state === "warm");
  }

  async findWarm(name: string): Promise<InstanceRow | undefined> {
    return (await this.allWarm(name))[0];
  }

  /** The same, waited for: what an instance has echoed is known a moment after its first answer. */
  async warm(name: string): Promise<InstanceRow> {
    let found: InstanceRow | undefined;
    await until(async () => {
      found = await this.findWarm(name);
      return found !== undefined;
    }, `${name} is warm`);
    return found as InstanceRow;
  }

  async bound(name: string): Promise<void> {
    await until(async () => {
      const uid = (await this.findWarm(name))?.uid;
      return (await this.view.functionPods()).some(({ metadata }) => metadata.uid === uid);
    }, `${name} is bound`);
  }

  async text(name: string, path = ""): Promise<string> {
    const response = await this.berth.invoke(name, { signal: AbortSignal.timeout(60_000) }, path);
    return `${response.status} ${await response.text()}`;
  }
}
