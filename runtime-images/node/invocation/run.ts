import type { IncomingMessage } from "node:http";
import { EVENT_HEADER, EVENT_WITH_LOG } from "../../protocol/headers.ts";
import { timers } from "../timers.ts";
import { type Call, identityOf, LogTail } from "./call.ts";
import { bindEvents } from "./call-events.ts";
import { logError } from "./describe.ts";
import type { Invoker } from "./invoker.ts";
import { flushOutput } from "./output.ts";
import { type InvocationResponse, platformError } from "./response.ts";

export interface RunOptions {
  /** How long an invocation may continue after its response has ended, before it is abandoned. */
  timeoutMs: number;
  /** Called once, when the response has ended and the handler has settled or was abandoned. `well`: it neither crashed nor was abandoned. */
  done(well: boolean): void;
  /** Called before `done` for an abandoned invocation: only a new process frees the resources that it holds. */
  outlived(message: string): void;
}

/** Runs one invocation of the function, and follows it to its end. */
export function runInvocation(invoke: Invoker, req: IncomingMessage, res: InvocationResponse, { timeoutMs, done, outlived }: RunOptions): void {
  let closed = false;
  let settled = false;
  let well = true;
  let givingUp: NodeJS.Timeout | undefined;
  const finish = () => {
    if (closed && settled) done(well);
  };
  const settle = () => {
    if (settled) return;
    settled = true;
    // A running timer would retain the request and its response, which at a high rate is much memory.
    timers.clearTimeout(givingUp);
    flushOutput(call);
    finish();
  };
  const crashed = (message: string) => {
    well = false;
    platformError(res, 502, "FUNCTION_CRASHED", message);
    settle();
  };
  const giveUp = () => {
    if (settled) return;
    const message = `an invocation went on for ${timeoutMs} ms (timeout) after its response had ended`;
    logError(message);
    well = false;
    outlived(message);
    settle();
  };
  const log = req.headers[EVENT_HEADER] === EVENT_WITH_LOG ? new LogTail() : null;
  const call: Call = { ...identityOf(req), res, log, background: null, crashed };
  bindEvents(req, call);
  bindEvents(res, call);
  res.on("close", () => {
    closed = true;
    finish();
    if (!settled) givingUp = timers.setTimeout(giveUp, timeoutMs).unref();
  });
  void invoke(req, call).then(settle);
}
