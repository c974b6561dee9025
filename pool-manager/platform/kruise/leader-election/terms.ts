import type { KubeClient } from "../../../kubernetes/client.ts";
import type { KubeError } from "../../../kubernetes/error.ts";
import type { Metadata } from "../../../kubernetes/objects.ts";
import { ANNOTATION, CLONESETS } from "../objects/objects.ts";
import { believable } from "./lease.ts";

/** How many objects one page of a listing has. */
const PAGE = "500";
const RESOURCES = "/apis/berth.dev/v1alpha1";

interface Carrier {
  metadata: Pick<Metadata, "annotations">;
  status?: { term?: unknown };
}

interface Page {
  metadata?: { continue?: string };
  items: Carrier[];
}

/**
 * The highest term that any object in the namespace carries, regardless of the Lease; 0: none. Labels do not select the
 * objects: hands and webhooks take them away, and the term would be used twice. Reads every page: a listing that breaks off,
 * or expires between two pages, rejects, and the caller retries.
 */
export async function highestTerm(kube: Pick<KubeClient, "namespace" | "get">): Promise<number> {
  const terms = await Promise.all([
    highestOf(kube, `/api/v1/namespaces/${kube.namespace}/pods`),
    highestOf(kube, `${CLONESETS}/namespaces/${kube.namespace}/clonesets`),
    highestOf(kube, `${RESOURCES}/namespaces/${kube.namespace}/functions`),
    highestOf(kube, `${RESOURCES}/namespaces/${kube.namespace}/pools`),
  ]);
  return Math.max(...terms);
}

async function highestOf(kube: Pick<KubeClient, "get">, path: string): Promise<number> {
  let highest = 0;
  let token = "";
  do {
    const query: Record<string, string> = { limit: PAGE };
    if (token) query.continue = token;
    const page = await kube.get<Page>(path, query).catch((error: KubeError) => {
      // A kind that the cluster does not serve has no objects.
      if (error.status === 404) return { items: [] } as Page;
      throw error;
    });
    for (const item of page.items) highest = Math.max(highest, termIn(item));
    token = page.metadata?.continue ?? "";
  } while (token);
  return highest;
}

function termIn({ metadata, status }: Carrier): number {
  return Math.max(believable(metadata.annotations?.[ANNOTATION.term]), believable(status?.term));
}
