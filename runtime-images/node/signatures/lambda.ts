import { totalmem } from "node:os";
import type { LoadSettings } from "../../protocol/messages.ts";
import { readBody } from "../invocation/body.ts";
import type { Call } from "../invocation/call.ts";
import type { Handle } from "../invocation/invoker.ts";
import type { LoadedFrom } from "../loaded-from.ts";
import { toEvent } from "./lambda-event.ts";
import { toEventV1 } from "./lambda-event-v1.ts";
import { answerThrown, isPayload, payloadOf, sendPayload, tellLogOf } from "./lambda-payload.ts";
import { send, sendV1 } from "./lambda-response.ts";
import { streamed } from "./lambda-stream.ts";
import { withOtherSignature } from "./other-signature.ts";

type Callback = (error: unknown, result?: unknown) => void;
type LambdaHandler = (event: unknown, context: unknown, callback: Callback) => unknown;

/** API Gateway's payload formats 1.0 and 2.0 of requests and results. */
export const FORMATS = { "1.0": { toEvent: toEventV1, send: sendV1 }, "2.0": { toEvent, send } };

/**
 * Calls `exports.handler = async (event, context) => …`, or a handler that `awslambda.streamifyResponse` has marked. The event
 * is made of the request, or is its body.
 */
export function lambdaHandle(target: unknown, from: LoadedFrom, format: keyof typeof FORMATS = "2.0"): Handle {
  const handler = target as LambdaHandler;
  const stream = streamed(target);
  const { toEvent, send } = FORMATS[format];
  const contextOf = contexts(from);
  return async (req, res, running) => {
    const { id } = running;
    const body = await readBody(req);
    const context = contextOf(id);
    if (isPayload(req)) return handlePayload({ handler, stream }, body, running, context);
    const event = toEvent(req, body, id);
    if (stream) return stream(event, res, context);
    const result = await call(handler, event, context).catch((error) => {
      throw withOtherSignature(error);
    });
    send(result, res);
  };
}

interface Called {
  handler: LambdaHandler;
  /** The handler where it streams its response. */
  stream: ReturnType<typeof streamed>;
}

/** Calls a handler with an event that a client of Lambda's API has sent. */
async function handlePayload({ handler, stream }: Called, body: Buffer, running: Call, context: unknown): Promise<void> {
  const { res } = running;
  const event = payloadOf(body, res);
  if (event === undefined) return;
  try {
    if (stream) await stream(event, res, context);
    else {
      const result = await call(handler, event, context);
      tellLogOf(running);
      sendPayload(result, res);
    }
  } catch (error) {
    answerThrown(withOtherSignature(error), running);
  }
}

/** Without any limit. */
const DEFAULT_MB = 1024;

/** The memory that an invocation may assume, in MiB: the function's, or else that of its container. */
export function memoryMb({ resources }: Pick<LoadSettings, "resources">): string {
  // Where nothing limits it, the kernel may say a number beyond all memory, which clients of Lambda do not parse.
  const contained = process.constrainedMemory();
  const bytes = resources?.memoryBytes ?? (contained <= totalmem() ? contained : 0);
  return String(Math.round(bytes / 2 ** 20) || DEFAULT_MB);
}

export function arnOf(functionName: string): string {
  return `arn:aws:lambda:local:000000000000:function:${functionName}`;
}

/** Creates the contexts that Lambda's runtime for Node passes to a handler. */
function contexts({ functionName, revision, settings }: LoadedFrom): (callId: string) => unknown {
  // Read once: Node reads kernel files for it, which takes as long as the rest of an invocation.
  const memoryLimitInMB = memoryMb(settings);
  return (callId) => {
    const deadline = performance.now() + settings.timeoutMs;
    return {
      callbackWaitsForEmptyEventLoop: true,
      functionName,
      functionVersion: revision,
      invokedFunctionArn: arnOf(functionName),
      memoryLimitInMB,
      awsRequestId: callId,
      logGroupName: `/aws/lambda/${functionName}`,
      logStreamName: revision,
      getRemainingTimeInMillis: () => Math.max(0, Math.round(deadline - performance.now())),
    };
  };
}

function call(handler: LambdaHandler, event: unknown, context: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const callback: Callback = (error, result) => (error ? reject(error) : resolve(result));
    const returned = handler(event, context, callback);
    if (isThenable(returned) || handler.length < 3) resolve(returned);
  });
}

function isThenable(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
