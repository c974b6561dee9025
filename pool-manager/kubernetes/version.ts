import type { KubeClient } from "./client.ts";
import { type RetryOptions, withRetries } from "./retry.ts";

/** The oldest and newest minor versions of Kubernetes 1 that the test suite runs on. */
const OLDEST_MINOR = 30;
const NEWEST_MINOR = 37;

/** How long a start retries reading the version. */
const BOUND_MS = 2000;

export interface KubernetesVersion {
  /** As the API server reports it, such as v1.34.4 or v1.31.2-eks-7f9249a. */
  version: string;
  /** A warning to report; null: Berth was tested with this version. */
  warning: string | null;
}

/** Reads the version of Kubernetes. Every version is accepted: the APIs that Berth uses are older than all of these. Rejects with `KubeError`. */
export async function kubernetesVersion(kube: Pick<KubeClient, "get">): Promise<KubernetesVersion> {
  const { gitVersion } = await kube.get<{ gitVersion: string }>("/version");
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(gitVersion) ?? [];
  const isTested = major === "1" && Number(minor) >= OLDEST_MINOR && Number(minor) <= NEWEST_MINOR;
  const tested = `Berth was tested with 1.${OLDEST_MINOR} to 1.${NEWEST_MINOR}`;
  return { version: gitVersion, warning: isTested ? null : `Kubernetes is ${gitVersion}; ${tested}` };
}

/** Reports a version that Berth was not tested with or that cannot be read. Neither ends a start; rejects only if `stop` aborts. */
export async function tellKubernetesVersion(kube: Pick<KubeClient, "get">, { stop, onTrouble }: RetryOptions): Promise<void> {
  const quietly: RetryOptions = { stop, onTrouble: () => {}, boundMs: BOUND_MS };
  const { warning } = await withRetries(() => kubernetesVersion(kube), quietly).catch(({ message }: Error) => {
    stop.throwIfAborted();
    return { warning: `the version of Kubernetes is unknown: ${message}` };
  });
  if (warning) onTrouble(warning);
}
