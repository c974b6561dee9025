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
