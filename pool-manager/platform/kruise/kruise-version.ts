import type { KubeClient } from "../../kubernetes/client.ts";
import type { KubeError } from "../../kubernetes/error.ts";

/** The OpenKruise versions that the test suite runs on, oldest first. */
export const TESTED_KRUISE = ["1.8.3", "1.9.1"] as const;
/** The newest minor version that is accepted without `--any-kruise-version`: a later one may change what Berth uses. */
const NEWEST_MINOR = [1, 9] as const;

/** The version is read from the image of Kruise's own Deployment, or else from the version label of its namespace. */
const DEPLOYMENT = "/apis/apps/v1/namespaces/kruise-system/deployments/kruise-controller-manager";
const NAMESPACE = "/api/v1/namespaces/kruise-system";
const VERSION_LABEL = "app.kubernetes.io/version";

export interface FoundVersion {
  /** Null: neither place has it. */
  version: string | null;
  /** Why the version is unknown; null: no read failed. */
  error: KubeError | null;
}

interface Deployment {
  spec?: { template?: { spec?: { containers?: { name: string; image?: string }[] } } };
}

/** Reads the version of Kruise. Never rejects: an unknown version prevents nothing. */
export async function readKruiseVersion(kube: Pick<KubeClient, "get">): Promise<FoundVersion> {
  const errors: KubeError[] = [];
  const get = <T>(path: string) =>
    kube.get<T>(path).catch((error: KubeError) => {
      if (error.status !== 404) errors.push(error);
      return null;
    });
  const deployment = await get<Deployment>(DEPLOYMENT);
  const containers = deployment?.spec?.template?.spec?.containers ?? [];
  // A webhook may have added sidecar containers.
  const image = (containers.find(({ name }) => name === "manager") ?? containers.find((each) => each.image?.includes("kruise")) ?? containers[0])?.image;
  const found = versionOf(tagOf(image ?? ""));
  if (found) return { version: found, error: null };
  const namespace = await get<{ metadata: { labels?: Record<string, string> } }>(NAMESPACE);
  const version = versionOf(namespace?.metadata.labels?.[VERSION_LABEL] ?? "");
  return { version, error: version ? null : (errors[0] ?? null) };
}

/** `untested`: neither older than the oldest tested version nor of a newer minor version; `refused`: one of these. */
export type VersionVerdict = "tested" | "untested" | "refused";

export function judgeKruiseVersion(version: string): VersionVerdict {
  if ((TESTED_KRUISE as readonly string[]).includes(version)) return "tested";
  const isOlder = compare(numbersOf(version), numbersOf(TESTED_KRUISE[0])) < 0;
  const isNewer = compare(numbersOf(version).slice(0, 2), NEWEST_MINOR) > 0;
  return isOlder || isNewer ? "refused" : "untested";
}

/** `host:port/path/kruise-manager:v1.8.3@sha256:…` has the tag v1.8.3. */
function tagOf(image: string): string {
  return /:([^/:@]+)(@|$)/.exec(image)?.[1] ?? "";
}

function versionOf(text: string): string | null {
  return /^v?(\d+\.\d+\.\d+(?:-[\w.-]+)?)/.exec(text)?.[1] ?? null;
}

function numbersOf(version: string): number[] {
  return version.split("-", 1).flatMap((release) => release.split(".").map(Number));
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) if (value !== b[i]) return value - (b[i] ?? 0);
  return 0;
}
