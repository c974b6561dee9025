import { afterEach, beforeEach } from "vitest";
import { ClusterView } from "./cluster-view.ts";
import { Managers } from "./managers.ts";
import { deleteNamespace, freshNamespace } from "./subject.ts";

interface Lease {
  metadata: { annotations?: Record<string, string> };
  spec: { holderIdentity?: string; leaseTransitions?: number; renewTime?: string };
}

/** A namespace without a pool manager before each test; after it everything there ends. */
export class FreshManagers {
  namespace = "";
  view!: ClusterView;
  managers!: Managers;

  constructor() {
    beforeEach(async () => {
      this.namespace = freshNamespace();
      this.view = await ClusterView.open(this.namespace);
      this.managers = new Managers(this.namespace);
    });
    afterEach(async () => {
      this.managers.killAll();
      this.view.close();
      await deleteNamespace(this.namespace);
    });
  }

  get leasePath(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.namespace}/leases/berth`;
  }

  /** Null: there is none, or the API server does not answer. */
  lease(): Promise<Lease | null> {
    return this.view.kube.get<Lease>(this.leasePath).catch(() => null);
  }

  async term(): Promise<number | undefined> {
    return (await this.lease())?.spec.leaseTransitions;
  }

  async holder(): Promise<string | undefined> {
    return (await this.lease())?.spec.holderIdentity;
  }
}
