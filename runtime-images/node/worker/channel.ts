import type { FromWorker } from "../../protocol/worker.ts";
import { timers } from "../timers.ts";

/** How long the end of a message's transmission is awaited. */
const SENT_MS = 100;

/** Sends a message to the supervisor. Calls `sent` once it has been sent, or after `SENT_MS`. */
export type Report = (message: FromWorker, sent?: () => void) => void;

/**
 * Takes the channel to the supervisor away from functions: many programs tell a parent process that they are ready if there
 * is a `process.send`, and the supervisor would get their messages. Must be called before any code of a function runs.
 */
export function takeChannel(): Report {
  const send = process.send?.bind(process);
  delete process.send;
  return (message, sent) => {
    if (!sent) return void send?.(message);
    timers.setTimeout(sent, SENT_MS);
    send?.(message, sent);
  };
}
