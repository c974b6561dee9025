import { API_KEY_HEADER } from "../../pool-manager/client/api-keys.ts";
import type { Exchange } from "../downstream/exchange.ts";
import { RouterError } from "../errors.ts";

const MANAGED = /^\/system(?:[/?]|$)/;
/** Segments of plain characters, none of which leads upwards. */
const PLAIN = /^\/system(?:\/(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9._~@-]*)+(?:\?|$)/;
const ASYNC = /^\/async-function(?:[/?]|$)/;

/** Headers that are passed on: those of the request's meaning and its credentials. The host is what the pool manager checks. */
const PASSED_ON = new Set(["host", "authorization", "content-type", "accept", "user-agent", API_KEY_HEADER]);

export type OpenFaasCall = "manage" | "async";

/** The kind of call that a path of OpenFaaS's API makes; null: it is another path. Invocations, `/function/NAME`, are paths of Berth too. */
export function openFaasCallOf(url: string): OpenFaasCall | null {
  if (MANAGED.test(url)) return "manage";
  return ASYNC.test(url) ? "async" : null;
}

/**
 * Why a request is not passed on to the pool manager; null: it is. Functions answer with pages of their own at this
 * address, so that a browser takes a page's request to the pool manager for one of the same site: no request of a
 * browser is passed on. (Node's own `fetch` sends `sec-fetch-mode`, and is none.)
 */
export function refusalOf({ url, header }: Pick<Exchange, "url" | "header">): RouterError | null {
  if (!PLAIN.test(url)) return new RouterError("PATH_INVALID", `there is nothing at ${JSON.stringify(url.slice(0, 100))}`);
  const mark = ["origin", "sec-fetch-site"].find((name) => header(name) !== undefined);
  return mark === undefined ? null : new RouterError("PAGE_REFUSED", `the request is a web page's: it has the header ${mark}`);
}

/** Alternating names and values. */
export function passedHeaders(raw: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (PASSED_ON.has((raw[i] as string).toLowerCase())) kept.push(raw[i] as string, raw[i + 1] as string);
  }
  return kept;
}
