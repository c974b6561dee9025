import { type Command, Option } from "commander";
import { CliError, EXIT } from "../errors.ts";
import { globals } from "../options/globals.ts";

interface UnprotectOptions {
  kubeconfig?: string;
  namespace: string;
}

/** Adds the command unprotect. */
export function protectionCommands(program: Command): void {
  program
    .command("unprotect")
    .description("allow the deletion of instances on a cluster, before its namespace is removed")
    .addOption(new Option("--kubeconfig <file>", "cluster to use; by default KUBECONFIG, then ~/.kube/config, then the pod's account").env("BERTH_KUBECONFIG"))
    .addOption(new Option("-n, --namespace <name>", "namespace of the cluster").env("BERTH_NAMESPACE").default("berth"))
    .action(async ({ kubeconfig, namespace }: UnprotectOptions, command: Command) => {
      const { say } = globals(command);
      const names = await unprotectNamespace(kubeconfig ?? null, namespace).catch((error: Error) => {
        const fix = `this user needs to list and patch clonesets.apps.kruise.io in namespace ${namespace}, and Kruise must answer`;
        throw new CliError("CLUSTER", error.message, fix, EXIT.unreachable);
      });
      say(`CloneSets of namespace ${namespace} that can be deleted now: ${names.length}`);
    });
}

async function unprotectNamespace(kubeconfig: string | null, namespace: string): Promise<string[]> {
  const [{ KubeClient }, { unprotect }] = await Promise.all([
    import("../../pool-manager/kubernetes/client.ts"),
    import("../../pool-manager/platform/kruise/disruption/unprotect.ts"),
  ]);
  const kube = await KubeClient.connect(kubeconfig, namespace);
  try {
    return await unprotect(kube);
  } finally {
    kube.close();
  }
}
