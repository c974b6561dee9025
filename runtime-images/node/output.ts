import { AsyncLocalStorage } from "node:async_hooks";
import { LOG_MARK, type LogLine } from "../protocol/messages.ts";
import { REHEARSAL_CALL } from "./rehearsal.ts";

/** The invocation that the running code belongs to. */
export const currentCall = new AsyncLocalStorage<string>();

/** Longest line that leaves the worker, in characters. */
const MAX_LINE = 8192;

type Write = typeof process.stdout.write;

/** From now on each line written through process.stdout, process.stderr or console carries its call id. */
export function captureOutput(): void {
  const out = process.stdout.write.bind(process.stdout);
  process.stdout.write = tagging("out", out);
  process.stderr.write = tagging("err", out);
}

function tagging(stream: LogLine["s"], out: Write): Write {
  let rest = "";
  return ((chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
    const done = typeof encoding === "function" ? encoding : callback;
    const text = rest + (typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8"));
    const lines = text.split("\n");
    rest = (lines.pop() ?? "").slice(-MAX_LINE);
    const call = currentCall.getStore() ?? null;
    let block = "";
    for (const line of lines) {
      block += `${LOG_MARK}${JSON.stringify({ c: call, s: stream, m: line.slice(0, MAX_LINE) } satisfies LogLine)}\n`;
    }
    if (block && call !== REHEARSAL_CALL) out(block);
    if (typeof done === "function") process.nextTick(done as () => void);
    return true;
  }) as Write;
}
