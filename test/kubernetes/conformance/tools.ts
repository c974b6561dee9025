import type { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import type { KubeError } from "../../../pool-manager/kubernetes/error.ts";
import type { KubeObject } from "../../../pool-manager/kubernetes/objects.ts";
import { until } from "../../helpers/berth.ts";
import { newCloneSet } from "../../helpers/builders/objects.ts";

export interface Subject {
  kube: KubeClient;
  close(): Promise<void>;
}

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

export interface List<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: T[];
}

export interface Event {
  type: string;
  object: ConfigMap & { code?: number; reason?: string };
}

/** The parts that the tests of an API share; `start` must have resolved. */
export function conformanceTools(current: () => Subject) {
  let count = 0;
  const kube = () => current().kube;
  const maps = () => `/api/v1/namespaces/${kube().namespace}/configmaps`;
  const leases = () => `/apis/coordination.k8s.io/v1/namespaces/${kube().namespace}/leases`;
  const sets = () => `/apis/apps.kruise.io/v1alpha1/namespaces/${kube().namespace}/clonesets`;
  const fresh = () => `o${count++}`;
  const make = (data: Record<string, string> = {}, labels: Record<string, string> = {}, of = fresh()) =>
    kube().create<ConfigMap>(maps(), { metadata: { name: of, labels }, data });
  const refusal = (promise: Promise<unknown>) =>
    promise.then(
      () => "accepted",
      ({ status, reason, message }: KubeError) => `${status} ${reason}: ${message}`,
    );
  const cloneSet = (of: string, more: Record<string, unknown> = {}) => newCloneSet(of, { spec: more });

  async function watched(query: Record<string, string>, body: () => Promise<void>, enough: (events: Event[]) => boolean, path = maps()): Promise<Event[]> {
    const events: Event[] = [];
    const end = kube().stream(
      path,
      { watch: "true", ...query },
      (line) => events.push(JSON.parse(line) as Event),
      () => {},
    );
    try {
      await body();
      await until(() => enough(events), `of the watch ${JSON.stringify(query)}`);
      return events;
    } finally {
      end();
    }
  }

  return { kube, maps, leases, sets, fresh, make, refusal, cloneSet, watched };
}

export type ConformanceTools = ReturnType<typeof conformanceTools>;
