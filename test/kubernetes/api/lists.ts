import { apiVersionOf, type Kind, type Route, resourceOf } from "../objects/kinds.ts";
import type { ApiObject } from "../objects/object.ts";
import { matchesOf } from "../objects/selectors.ts";
import { ApiError, badRequest, expired } from "./api-error.ts";
import type { Store } from "./store.ts";

type Query = Readonly<Record<string, string>>;

interface Token {
  /** Version that all pages of the list are of. */
  rv: number;
  /** Key of the last object of the page before. */
  start: string;
}

const TOO_OLD =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/** A list, or a page of one; `at`: the version to answer from, where that is not the newest. */
export function listOf(store: Store, { kind, namespace }: Route, query: Query, at = store.version): object {
  const token = query.continue ? parse(query.continue) : null;
  const version = token?.rv ?? at;
  if (token && token.rv < store.compacted) throw expired(TOO_OLD);
  checkVersion(store, query.resourceVersion ?? "");
  const matches = matchesOf(query.labelSelector, query.fieldSelector);
  const all = store.list(resourceOf(kind), namespace, version).filter(matches);
  const rest = token ? all.filter((object) => keyOf(object) > token.start) : all;
  const limit = Number(query.limit || 0) || rest.length;
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  const more = rest.length > items.length && last;
  const metadata = {
    resourceVersion: String(version),
    ...(more && { continue: format({ rv: version, start: keyOf(last) }) }),
    ...(more && !query.labelSelector && !query.fieldSelector && { remainingItemCount: rest.length - items.length }),
  };
  return { kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind), metadata, items: items.map((item) => shown(item, kind)) };
}

/** A request for a version that does not exist yet is refused after a while. */
export function checkVersion(store: Store, resourceVersion: string): void {
  const wanted = Number(resourceVersion || 0);
  if (Number.isNaN(wanted)) throw badRequest(`resourceVersion: Invalid value: "${resourceVersion}"`);
  if (wanted <= store.version) return;
  const causes = [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }];
  throw new ApiError(504, "Timeout", `Timeout: Too large resource version: ${wanted}, current: ${store.version}`, { causes, retryAfterSeconds: 1 });
}

/** Items of built-in kinds do not say what they are. */
function shown(item: ApiObject, { custom }: Kind): object {
  const { apiVersion, kind, ...rest } = item;
  return custom ? { apiVersion, kind, ...rest } : rest;
}

function keyOf({ metadata }: ApiObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

function format(token: Token): string {
  return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", ...token })).toString("base64url");
}

function parse(text: string): Token {
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString("utf8")) as Token;
  } catch (error) {
    throw badRequest(`invalid continue token: continue key is not valid: ${(error as Error).message}`);
  }
}
