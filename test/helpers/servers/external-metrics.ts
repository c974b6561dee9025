import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import { createIdentity } from "../../../runtime-images/supervisor/certificate.ts";
import { until } from "../berth.ts";

const API = "external.metrics.k8s.io/v1beta1";
const REGISTRATION = "/apis/apiregistration.k8s.io/v1/apiservices";
const NAME = "v1beta1.external.metrics.k8s.io";

/** A metrics adapter that the API server aggregates, as KEDA's is: it serves one external metric, whatever its name. */
export class ExternalMetrics {
  /** The metric's present value. */
  value = 0;
  readonly #server: Server;
  readonly #kube: KubeClient;

  private constructor(server: Server, kube: KubeClient) {
    this.#server = server;
    this.#kube = kube;
  }

  /** `host`: an address of this machine that the cluster reaches. */
  static async start(kube: KubeClient, host: string): Promise<ExternalMetrics> {
    const { key, cert } = createIdentity();
    const server = createServer({ key: key.export({ type: "pkcs8", format: "pem" }), cert });
    const metrics = new ExternalMetrics(server, kube);
    server.on("request", (request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(metrics.#answer(request.url ?? "")));
    });
    server.listen(0, host);
    await once(server, "listening");
    try {
      await metrics.#register(host, (server.address() as AddressInfo).port);
    } catch (error) {
      await metrics.close();
      throw error;
    }
    return metrics;
  }

  /** The registration goes first: a registered API that does not answer keeps namespaces from being deleted. */
  async close(): Promise<void> {
    await this.#kube.delete(`${REGISTRATION}/${NAME}`).catch((error: KubeError) => {
      if (error.status !== 404) throw error;
    });
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #register(host: string, port: number): Promise<void> {
    const metadata = { name: "metrics-adapter", namespace: this.#kube.namespace };
    const at = `/api/v1/namespaces/${this.#kube.namespace}`;
    const ports = [{ name: "https", port: 443, targetPort: port }];
    await this.#kube.create(`${at}/services`, { apiVersion: "v1", kind: "Service", metadata, spec: { ports } });
    const subsets = [{ addresses: [{ ip: host }], ports: [{ name: "https", port }] }];
    await this.#kube.create(`${at}/endpoints`, { apiVersion: "v1", kind: "Endpoints", metadata, subsets });
    await this.#kube.create(REGISTRATION, {
      apiVersion: "apiregistration.k8s.io/v1",
      kind: "APIService",
      metadata: { name: NAME },
      spec: {
        group: API.split("/")[0],
        version: API.split("/")[1],
        service: metadata,
        insecureSkipTLSVerify: true,
        groupPriorityMinimum: 100,
        versionPriority: 100,
      },
    });
    await until(async () => {
      const { status } = await this.#kube.get<{ status?: { conditions?: { type: string; status: string }[] } }>(`${REGISTRATION}/${NAME}`);
      return status?.conditions?.some(({ type, status }) => type === "Available" && status === "True") ?? false;
    }, "the API server reaches the metrics adapter");
  }

  #answer(url: string): object {
    if (!url.includes("/namespaces/")) return { kind: "APIResourceList", apiVersion: "v1", groupVersion: API, resources: [] };
    const metricName = url.split("?")[0]?.split("/").at(-1) ?? "";
    const item = { metricName, metricLabels: {}, timestamp: new Date().toISOString(), value: String(this.value) };
    return { kind: "ExternalMetricValueList", apiVersion: API, metadata: {}, items: [item] };
  }
}
