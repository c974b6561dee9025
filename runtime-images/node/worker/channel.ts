import type { FromWorker } from "../ipc.ts";

export type Send = (message: FromWorker, sent?: () => void) => void;

/**
 * Takes the channel to the supervisor away from functions: many programs tell a parent process that they are ready if there
 * is a `process.send`, and the supervisor would get their messages. Must be called before any code of a function runs.
 */
export function takeChannel(): Send {
  const send = process.send?.bind(process);
  delete process.send;
  return (message, sent) => void (sent ? send?.(message, sent) : send?.(message));
}
