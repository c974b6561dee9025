import type { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { KubeError } from "../../../pool-manager/kubernetes/error.ts";

export const refusal = (status: number, retryAfterMs: number | null = null) => new KubeError(status, "", `status ${status}`, retryAfterMs);

/** An API that answers GETs from a table: objects, or errors. */
export function answering(answers: Record<string, unknown>): Pick<KubeClient, "namespace" | "get"> {
  return {
    namespace: "ns",
    get: async <T>(path: string, query: Record<string, string> = {}) => {
      const answer = answers[query.continue ? `${path}?${query.continue}` : path] ?? refusal(404);
      if (answer instanceof Error) throw answer;
      return answer as T;
    },
  };
}
