import type { KubeClient } from "../client.ts";
import { KubeError } from "../error.ts";
import { isVersion } from "./watch-event.ts";

const PAGE = "500";
const LIST_TIMEOUT_MS = 30_000;

interface List<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: T[];
}

/** The objects of one path of the Kubernetes API that a selector names; "" names all. */
export interface Selection {
  path: string;
  selector: string;
}

export type ListSource = Pick<KubeClient, "get">;

/** All objects that are accepted, page by page, and the version of the listing. Ends early, with what there is, when stopped. */
export async function listAll<T>(
  kube: ListSource,
  selection: Selection,
  accepts: (object: T) => boolean,
  stop: AbortSignal,
): Promise<{ items: T[]; version: string }> {
  const items: T[] = [];
  let token = "";
  for (;;) {
    const query: Record<string, string> = { ...selectorQuery(selection), limit: PAGE };
    if (token) query.continue = token;
    const { metadata, items: page } = await kube.get<List<T>>(selection.path, query, LIST_TIMEOUT_MS);
    if (!isVersion(metadata.resourceVersion)) throw new KubeError(0, "Unreadable", "the API server's answer is no listing: it has no version");
    items.push(...page.filter((item) => accepts(item)));
    token = metadata.continue ?? "";
    if (!token || stop.aborted) return { items, version: metadata.resourceVersion };
  }
}

/** The version that a listing would have now. */
export async function latestVersion(kube: ListSource, selection: Selection): Promise<string> {
  const { metadata } = await kube.get<List<unknown>>(selection.path, { ...selectorQuery(selection), limit: "1" }, LIST_TIMEOUT_MS);
  return metadata.resourceVersion;
}

export function selectorQuery({ selector }: Selection): Record<string, string> {
  return selector ? { labelSelector: selector } : {};
}
