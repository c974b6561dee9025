import type { FunctionStore } from "../../pool-manager/functions/function.ts";

/** Nothing outlives the run. */
export function memoryStore(): FunctionStore {
  return { load: async () => [], save: async () => {}, progress: async () => {}, remove: async () => {} };
}
