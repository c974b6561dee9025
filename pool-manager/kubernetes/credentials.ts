import type { Agent } from "node:http";
import type { RequestOptions } from "node:https";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { KubeConfig } from "@kubernetes/client-node";
import { KubeError } from "./error.ts";
import { ExecCredential } from "./exec-credential.ts";

/** How requests identify themselves to the API server and trust it. */
export interface Credentials {
  /** TLS options and headers; `agent` only if the connections need one of their own. Rejects with a `KubeError` if there is no credential. */
  options(): Promise<RequestOptions>;
  /** The API server has answered 401. True: it may accept the next ones. */
  refused(): boolean;
}

/**
 * The credentials of a kubeconfig's current context. @kubernetes/client-node reads what files hold, and again when they
 * have changed; commands are run here.
 */
export class KubeConfigCredentials implements Credentials {
  readonly server: URL;
  readonly #config: KubeConfig;
  readonly #exec: ExecCredential | null;
  readonly #isProxied: boolean;
  /** Through a proxy: the agent that @kubernetes/client-node makes for it, once. */
  #agent: Agent | null = null;

  /** `file`: the kubeconfig, whose folder relative commands start from. */
  constructor(config: KubeConfig, file: string) {
    const [cluster, user] = [config.getCurrentCluster(), config.getCurrentUser()];
    if (!cluster) throw new KubeError(0, "NoCluster", "the kubeconfig names no cluster for its current context");
    if (!URL.canParse(cluster.server)) throw new KubeError(0, "KubeconfigInvalid", `the kubeconfig's server ${JSON.stringify(cluster.server)} is no URL`);
    this.server = new URL(cluster.server);
    this.#config = config;
    this.#isProxied = Boolean(cluster.proxyUrl);
    this.#exec = user?.exec ? new ExecCredential(user.exec, cluster, dirname(file)) : null;
    // The library would run the command for itself.
    if (user?.exec) config.users = config.users.map((one) => (one === user ? { ...one, exec: undefined } : one));
    // It refuses plain HTTP otherwise, which `kubectl proxy` speaks.
    if (this.server.protocol === "http:") config.clusters = config.clusters.map((one) => (one === cluster ? { ...one, skipTLSVerify: true } : one));
  }

  /** Reads the kubeconfig file, or KUBECONFIG, or ~/.kube/config, or the pod's service account. Throws if there is none. */
  static async load(kubeconfig: string | null): Promise<KubeConfigCredentials> {
    const { KubeConfig } = await import("@kubernetes/client-node");
    const [first = join(homedir(), ".kube/config")] = (process.env.KUBECONFIG ?? "").split(delimiter).filter(Boolean);
    const file = kubeconfig ?? first;
    try {
      const config = new KubeConfig();
      if (kubeconfig) config.loadFromFile(kubeconfig);
      else config.loadFromDefault();
      return new KubeConfigCredentials(config, file);
    } catch (error) {
      if (error instanceof KubeError) throw error;
      const [reason] = (error as Error).message.split("\n");
      throw new KubeError(0, "KubeconfigInvalid", `the kubeconfig ${file} cannot be used: ${reason}`);
    }
  }

  async options(): Promise<RequestOptions> {
    const given: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(given as never);
    const { agent, ...options } = given;
    const { token, certificate, key } = (await this.#exec?.get()) ?? {};
    if (token) options.headers = { ...options.headers, Authorization: `Bearer ${token}` };
    if (certificate && key) Object.assign(options, { cert: certificate, key });
    return this.#isProxied ? { ...options, agent: this.#proxied(agent as Agent) } : options;
  }

  refused(): boolean {
    return this.#exec?.refused() ?? false;
  }

  #proxied(made: Agent): Agent {
    this.#agent ??= Object.assign(made, { keepAlive: true });
    return this.#agent;
  }
}
