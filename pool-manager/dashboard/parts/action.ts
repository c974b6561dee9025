import { useState } from "preact/hooks";
import { ApiError } from "../data/api.ts";

export interface Action {
  isRunning: boolean;
  error: ApiError | null;
  run(work: () => Promise<unknown>): Promise<void>;
}

/** Runs one call at a time, and keeps its error until the next. */
export function useAction(): Action {
  const [isRunning, setRunning] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const run = async (work: () => Promise<unknown>) => {
    setRunning(true);
    setError(null);
    try {
      await work();
    } catch (thrown) {
      setError(thrown instanceof ApiError ? thrown : new ApiError(0, "UNEXPECTED", (thrown as Error).message, ""));
    } finally {
      setRunning(false);
    }
  };
  return { isRunning, error, run };
}
