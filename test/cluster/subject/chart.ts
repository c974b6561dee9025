import { execFile } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { newKey } from "../../../pool-manager/client/api-keys.ts";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { unprotect } from "../../../pool-manager/platform/kruise/disruption/unprotect.ts";
import { CLONESETS } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import { BIN } from "../machine/install/programs.ts";
import { REGISTRY_OF_PODS } from "../machine/layout.ts";
import type { Manifest } from "./manifest.ts";
import { CACHE_DIR, clusterConfig } from "./subject.ts";

const run = promisify(execFile);
const CHART = resolve("deploy/chart");
const HELM_MS = 180_000;

/** Berth as the chart installs it: pool managers, routers and what belongs to them, in a namespace of its own. */
export class Installed {
  readonly kube: KubeClient;
  readonly key: string;
  readonly monitorKey: string;
  readonly #values: string;
  readonly #kubeconfig: string;

  private constructor(kube: KubeClient, kubeconfig: string, values: string, key: string, monitorKey: string) {
    this.kube = kube;
    this.#kubeconfig = kubeconfig;
    this.#values = values;
    this.key = key;
    this.monitorKey = monitorKey;
  }

  /** Pushes this checkout's images and installs them, as docs/operating.md says; `values` are further ones. */
  static async install(namespace: string, values: object): Promise<Installed> {
    const { kubeconfig, registry } = clusterConfig(namespace);
    const kube = await KubeClient.connect(kubeconfig, namespace);
    const dir = mkdtempSync(join(tmpdir(), "berth-chart-"));
    const { stdout } = await run(process.execPath, ["dist/berth.js", "images", "--registry", registry, "--cache-dir", CACHE_DIR], { timeout: HELM_MS });
    const all = { ...(parse(stdout) as object), registry: { name: registry, via: REGISTRY_OF_PODS, insecure: true }, ...values };
    writeFileSync(join(dir, "values.yaml"), stringify(all));
    const [ops, routers, monitor] = [newKey("ops", ["manage", "invoke"]), newKey("routers", ["route"]), newKey("prometheus", ["monitor"])];
    await kube.create("/api/v1/namespaces", { metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": "restricted" } } });
    const stringData = { keys: [ops, routers, monitor].map(({ line }) => line).join("\n"), route: routers.key, monitor: monitor.key };
    await kube.create(`/api/v1/namespaces/${namespace}/secrets`, { metadata: { name: "berth-api-keys" }, stringData });
    const installed = new Installed(kube, kubeconfig ?? "", join(dir, "values.yaml"), ops.key, monitor.key);
    await installed.helm("install", "berth", CHART, "--wait", "--timeout", "150s");
    return installed;
  }

  /** Runs helm in the namespace, with the values of the installation. */
  async helm(...args: string[]): Promise<string> {
    const own = ["--namespace", this.kube.namespace, "--kubeconfig", this.#kubeconfig, "--values", this.#values];
    return (await run(BIN.helm, [...args, ...own], { timeout: HELM_MS })).stdout;
  }

  upgrade(...sets: string[]): Promise<string> {
    return this.helm("upgrade", "berth", CHART, "--wait", "--timeout", "150s", ...sets.flatMap((set) => ["--set", set]));
  }

  /** Address of a Service; the host reaches it by way of kube-proxy. */
  async service(name: string): Promise<string> {
    type Service = { spec: { clusterIP: string; ports: { port: number }[] } };
    const { spec } = await this.kube.get<Service>(`/api/v1/namespaces/${this.kube.namespace}/services/${name}`);
    return `http://${spec.clusterIP}:${spec.ports[0]?.port}`;
  }

  async uninstall(): Promise<void> {
    const own = ["--namespace", this.kube.namespace, "--kubeconfig", this.#kubeconfig];
    await run(BIN.helm, ["uninstall", "berth", "--ignore-not-found", "--wait", ...own], { timeout: HELM_MS });
  }

  /** Removes the remains of the release. */
  async remove(): Promise<void> {
    await this.uninstall();
    const path = `/api/v1/namespaces/${this.kube.namespace}`;
    const isThere = await this.kube.get(path).then(
      () => true,
      () => false,
    );
    if (isThere) await unprotect(this.kube);
    if (isThere) await this.kube.delete(path);
    this.kube.close();
  }
}

/** Objects outside of the namespace that an installation has left behind. */
export async function leftOf(kube: KubeClient, namespace: string): Promise<string[]> {
  const left: string[] = [];
  for (const list of [
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    `${CLONESETS}/sidecarsets`,
  ]) {
    const { items } = await kube.get<{ items: Manifest[] }>(list);
    left.push(...items.map(({ metadata }) => metadata.name).filter((name) => name.includes(namespace)));
  }
  return left;
}
