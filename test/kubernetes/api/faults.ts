import type { ApiRequest } from "./api.ts";
import type { ApiError } from "./api-error.ts";

/** The requests that a fault affects; a field that is missing matches any. */
export interface Where {
  client?: string;
  method?: string;
  path?: RegExp;
  /** Watches only, or everything else only. */
  watch?: boolean;
}

/**
 * | kind        | what happens to a request                                                              |
 * |-------------|----------------------------------------------------------------------------------------|
 * | refuse      | answered with this error, and nothing is done                                          |
 * | slow        | carried out so much later, unless its client has given up by then                      |
 * | late        | carried out at once, and answered so much later: watches tell of it before              |
 * | hang        | neither carried out nor answered                                                       |
 * | lose        | carried out, and the answer is lost                                                    |
 * | unreachable | the connection is refused                                                              |
 * | stale       | answered from this version: the API server that was asked lags behind                  |
 */
export type Effect =
  | { kind: "refuse"; error: ApiError }
  | { kind: "slow" | "late"; ms: number }
  | { kind: "hang" | "lose" | "unreachable" }
  | { kind: "stale"; version: number };

interface Fault {
  where: Where;
  effect: Effect;
  /** How many further requests it applies to. */
  left: number;
}

/** Faults between clients and the API server. */
export class Faults {
  readonly #faults = new Set<Fault>();
  /** Told of each request, before anything happens to it. */
  onRequest: (request: ApiRequest) => void = () => {};

  /** For so many matching requests, or until the returned function is called. */
  add(where: Where, effect: Effect, times = Number.POSITIVE_INFINITY): () => void {
    const fault = { where, effect, left: times };
    this.#faults.add(fault);
    return () => this.#faults.delete(fault);
  }

  clear(): void {
    this.#faults.clear();
  }

  /** The effects on this request, which count as used by it. */
  take(request: ApiRequest): Effect[] {
    const effects: Effect[] = [];
    for (const fault of this.#faults) {
      if (!isAt(fault.where, request)) continue;
      effects.push(fault.effect);
      fault.left -= 1;
      if (fault.left <= 0) this.#faults.delete(fault);
    }
    return effects;
  }
}

export function isAt({ client, method, path, watch }: Where, request: Pick<ApiRequest, "client" | "method" | "path" | "query">): boolean {
  if (client !== undefined && client !== request.client) return false;
  if (method !== undefined && method !== request.method) return false;
  if (watch !== undefined && watch !== (request.query.watch === "true")) return false;
  return path === undefined || path.test(request.path);
}
