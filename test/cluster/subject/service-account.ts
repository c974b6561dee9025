import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { NODE_IP, PORT } from "../machine/layout.ts";

/** The API as a service account of the namespace of `admin` uses it, with a token of ten minutes. */
export async function asServiceAccount(admin: KubeClient, name: string): Promise<KubeClient> {
  const { namespace } = admin;
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const { status } = await admin.create<{ status: { token: string } }>(path, { spec: { expirationSeconds: 600 } });
  const file = join(tmpdir(), `${namespace}-${name}.kubeconfig`);
  const cluster = { server: `https://${NODE_IP}:${PORT.api}`, "insecure-skip-tls-verify": true };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster }],
    users: [{ name: "u", user: { token: status.token } }],
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    "current-context": "c",
  };
  writeFileSync(file, stringify(config), { mode: 0o600 });
  return KubeClient.connect(file, namespace);
}

/** Permissions that a pool manager does not need. */
const needless = (namespace: string): [verb: string, resource: string, more?: object][] => [
  ["create", "pods"],
  ["patch", "pods", { subresource: "status" }],
  ["list", "events", { namespace: "default" }],
  ["delete", "events"],
  ["create", "events", { namespace: "default" }],
  ["get", "customresourcedefinitions", { group: "apiextensions.k8s.io", namespace: "", name: "clonesets.apps.kruise.io" }],
  ["list", "customresourcedefinitions", { group: "apiextensions.k8s.io", namespace: "" }],
  ["create", "pods", { subresource: "exec" }],
  ["create", "pods", { subresource: "ephemeralcontainers" }],
  ["delete", "secrets", { namespace: "kube-system" }],
  ["get", "secrets", { namespace: "kube-system" }],
  ["list", "pods", { namespace: "default" }],
  ["patch", "pods", { namespace: "kube-system" }],
  ["get", "nodes", { namespace: "" }],
  ["create", "rolebindings", { group: "rbac.authorization.k8s.io" }],
  ["create", "serviceaccounts", { subresource: "token" }],
  ["patch", "customresourcedefinitions", { group: "apiextensions.k8s.io", namespace: "" }],
  ["delete", "namespaces", { namespace: "", name: namespace }],
  ["delete", "leases", { group: "coordination.k8s.io" }],
  ["patch", "deployments", { group: "apps" }],
  ["*", "*", { group: "*" }],
];

/** Those of the unnecessary permissions that this account has nevertheless. */
export async function allowedBeyondNeed(kube: KubeClient, namespace: string): Promise<string[]> {
  const allowed: string[] = [];
  for (const [verb, resource, more = {}] of needless(namespace)) {
    const review = { spec: { resourceAttributes: { namespace, verb, resource, ...more } } };
    const { status } = await kube.create<{ status: { allowed: boolean } }>("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review);
    if (status.allowed) allowed.push(`${verb} ${resource} ${JSON.stringify(more)}`);
  }
  return allowed;
}
