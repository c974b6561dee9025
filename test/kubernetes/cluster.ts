import { KubeClient } from "../../pool-manager/kubernetes/client.ts";
import { errorOf } from "../../pool-manager/kubernetes/transport.ts";
import { Api } from "./api/api.ts";
import { Faults, type Where } from "./api/faults.ts";
import { GarbageCollector } from "./api/garbage-collector.ts";
import { MemoryTransport } from "./api/memory-transport.ts";
import { Store } from "./api/store.ts";

/** Latency of one direction between client and API server. */
const LATENCY_MS = { least: 0.3, most: 3 };

/** A Kubernetes API in memory, and its clients. */
export class MemoryCluster {
  readonly store = new Store();
  readonly api = new Api(this.store);
  readonly faults = new Faults();
  readonly #transports = new Set<MemoryTransport>();
  readonly namespace: string;
  /** How far the API server's clock is ahead of its clients', in milliseconds. */
  aheadMs = 0;

  constructor(namespace = "berth") {
    this.namespace = namespace;
    new GarbageCollector(this);
    for (const name of ["default", "kube-system", namespace]) this.make("/api/v1/namespaces", { metadata: { name } });
  }

  /** A client's connection; faults and policies know it by its name. */
  connect(client: string, namespace = this.namespace): KubeClient {
    const { least, most } = LATENCY_MS;
    const latency = () => least + Math.random() * (most - least);
    const transport = new MemoryTransport({ api: this.api, faults: this.faults, latency, aheadMs: () => this.aheadMs }, client);
    this.#transports.add(transport);
    return KubeClient.over(transport, namespace);
  }

  /** Breaks the connections of open watches. */
  cutWatches(where: Where = {}): void {
    for (const transport of this.#transports) transport.cut(where);
  }

  /** Open watches stay open, and nothing comes through any more. */
  hushWatches(where: Where = {}): void {
    for (const transport of this.#transports) transport.hush(where);
  }

  /** Makes an object at once, past all faults. */
  make<T>(path: string, body: object): T {
    return this.at("POST", path, body);
  }

  /** Any request, at once and past all faults. Throws what the API answers. */
  at<T>(method: string, path: string, body?: object, contentType = "application/merge-patch+json", client = "admin"): T {
    const [bare = "", search = ""] = path.split("?");
    const query = { ...(client !== "admin" && { fieldManager: client }), ...Object.fromEntries(new URLSearchParams(search)) };
    const answer = this.api.handle({ method, path: bare, query, body: structuredClone(body), contentType, client });
    if (answer.status >= 300) throw errorOf({ status: answer.status, body: Buffer.from(JSON.stringify(answer.body)) });
    return answer.body as T;
  }
}
