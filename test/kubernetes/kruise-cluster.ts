import { MemoryCluster } from "./cluster.ts";
import { CloneSetController } from "./controllers/cloneset-controller.ts";
import { installKruiseWebhooks } from "./controllers/kruise-webhooks.ts";
import { Kubelet } from "./controllers/kubelet.ts";

/** A cluster in memory as Berth needs one: API, Kruise, and a node whose pods boot instances. */
export class KruiseCluster extends MemoryCluster {
  readonly kruise: CloneSetController;
  readonly kubelet: Kubelet;

  constructor(namespace = "berth") {
    super(namespace);
    this.make("/api/v1/namespaces", { metadata: { name: "kruise-system", labels: { "app.kubernetes.io/version": "1.8.3" } } });
    this.make("/apis/apps.kruise.io/v1alpha1/nodeimages", { apiVersion: "apps.kruise.io/v1alpha1", kind: "NodeImage", metadata: { name: "node-1" }, spec: {} });
    installKruiseWebhooks(this);
    this.kruise = new CloneSetController(this);
    this.kubelet = new Kubelet(this);
  }
}
