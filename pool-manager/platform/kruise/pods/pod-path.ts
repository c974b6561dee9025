import type { KubeClient } from "../../../kubernetes/client.ts";

/** Of a pod in the namespace of the client. */
export function podPath({ namespace }: Pick<KubeClient, "namespace">, name: string): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}
