import { useEffect, useState } from "preact/hooks";
import { ApiError, call } from "./api.ts";

export interface Polled<T> {
  data: T | null;
  error: ApiError | null;
}

/** The answer of a path, asked for again `everyMs` after each answer, and at once when `mark` changes. The last data stays when a later call fails. */
export function usePoll<T>(path: string, everyMs: number, mark: unknown = null): Polled<T> {
  const [polled, setPolled] = useState<Polled<T>>({ data: null, error: null });
  useEffect(() => {
    let timer = 0;
    let isOver = false;
    const ask = async () => {
      try {
        const data = await call<T>("GET", path);
        if (!isOver) setPolled({ data, error: null });
      } catch (error) {
        if (!isOver && error instanceof ApiError) setPolled((before) => ({ data: before.data, error }));
      }
      if (!isOver) timer = window.setTimeout(() => void ask(), everyMs);
    };
    void ask();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [path, everyMs, mark]);
  return polled;
}
