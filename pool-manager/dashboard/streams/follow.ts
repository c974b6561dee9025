import { ApiError, request } from "../data/api.ts";
import { EventParser } from "./event-stream.ts";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 3000;

export interface Following {
  /** Called for each message; the first of a connection has `isFirst`. */
  message(data: unknown, isFirst: boolean): void;
  /** The stream ended, and is opened again unless the result is false. */
  lost(error: ApiError): boolean;
}

/**
 * Follows a stream by fetch, since EventSource sends no header, and a key in the address would be kept in logs. Opens it
 * again when it ends or is silent for `silentMs`. Returns the function that ends it.
 */
export function follow(path: string, silentMs: number, { message, lost }: Following): () => void {
  let controller = new AbortController();
  let isClosed = false;
  let pauseMs = FIRST_PAUSE_MS;
  let timer = 0;

  const open = async () => {
    controller = new AbortController();
    const { signal } = controller;
    let silence = 0;
    const heard = () => {
      clearTimeout(silence);
      silence = window.setTimeout(() => controller.abort(new DOMException("nothing was heard", "TimeoutError")), silentMs);
    };
    heard();
    try {
      const response = await request(path, { headers: { accept: "text/event-stream" }, signal });
      await read(response, heard);
      throw new ApiError(0, "ENDED", "the pool manager has ended the connection", "");
    } catch (error) {
      if (isClosed) return;
      if (lost(error instanceof ApiError ? error : new ApiError(0, "SILENT", "the connection broke, or was silent", ""))) later();
    } finally {
      clearTimeout(silence);
    }
  };

  const read = async (response: Response, heard: () => void) => {
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new EventParser();
    let isFirst = true;
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done || isClosed) return;
      heard();
      for (const data of parser.push(value)) {
        message(JSON.parse(data), isFirst);
        isFirst = false;
        pauseMs = FIRST_PAUSE_MS;
      }
    }
  };

  const later = () => {
    timer = window.setTimeout(() => void open(), pauseMs * (0.75 + Math.random() / 2));
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  };

  void open();
  return () => {
    isClosed = true;
    clearTimeout(timer);
    controller.abort();
  };
}
