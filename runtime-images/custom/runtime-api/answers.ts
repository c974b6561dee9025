import type { IncomingMessage, ServerResponse } from "node:http";
import { currentCall } from "../../node/invocation/call.ts";
import { logError, summaryOf } from "../../node/invocation/describe.ts";
import { platformError } from "../../node/invocation/response.ts";
import { answerFault, sendPayload } from "../../node/signatures/lambda-payload.ts";
import { setHead } from "../../node/signatures/lambda-response.ts";
import type { Invocation } from "./invocations.ts";

/** The largest answer that is kept whole. Lambda's own limit is 6 MB. */
const MAX_ANSWER = 64 * 2 ** 20;
const MAX_PRELUDE = 64 * 2 ** 10;

const MODE = "lambda-runtime-function-response-mode";
/** A body that begins with status and headers as JSON, and eight NUL bytes. */
const WITH_PRELUDE = "application/vnd.awslambda.http-integration-response";
const PRELUDE_END = Buffer.alloc(8);
/** Trailers of an answer that has failed after its beginning. */
const [ERROR_TYPE, ERROR_BODY] = ["lambda-runtime-function-error-type", "lambda-runtime-function-error-body"];

type Send = (result: unknown, res: ServerResponse) => void;

/** Sends what a bootstrap posts as `response`. Resolves once it is read; rejects if it is too large or breaks off. */
export async function answer(invocation: Invocation, post: IncomingMessage, send: Send): Promise<void> {
  try {
    if (post.headers[MODE] === "streaming") await stream(invocation.res, post);
    else {
      const text = await readText(post);
      if (!brokenBy(post, invocation)) (invocation.isPayload ? sendPayload : send)(parsed(text), invocation.res);
    }
  } catch (error) {
    fail(invocation, { message: summaryOf(error), type: "Error", frames: "" });
    throw error;
  } finally {
    if (brokenBy(post, invocation)) {
      fail(invocation, { message: "the bootstrap reported an error after the beginning of its response", type: trailerOf(post), frames: "" });
    }
    invocation.settle();
  }
}

/** Answers with what a bootstrap posts as `error`: `{errorMessage, errorType, stackTrace}`. */
export async function answerFailure(invocation: Invocation, post: IncomingMessage): Promise<void> {
  fail(invocation, failureOf(await readText(post)));
  invocation.settle();
}

/** An error as a bootstrap reports it. `frames`: its stack, a frame in each line. */
export interface BootstrapError {
  message: string;
  /** Empty if the bootstrap names none. */
  type: string;
  frames: string;
}

/** The words of an error for the log. */
export function describe({ message, type, frames }: BootstrapError): string {
  return [message, type, frames].filter((part) => part !== "").join("\n");
}

export function failureOf(text: string): BootstrapError {
  const given = parsed(text);
  const { errorMessage, errorType, stackTrace } = Object(given) as { errorMessage?: unknown; errorType?: unknown; stackTrace?: unknown };
  if (errorMessage === undefined) return { message: text || "the bootstrap reported an error without a message", type: "", frames: "" };
  const frames = (Array.isArray(stackTrace) ? stackTrace : []).map((frame) => `    ${typeof frame === "string" ? frame : JSON.stringify(frame)}`);
  return { message: String(errorMessage), type: String(errorType ?? "Error"), frames: frames.join("\n") };
}

export async function readText(post: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of post as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER) throw new RangeError(`the response has more than ${MAX_ANSWER} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function stream(res: ServerResponse, post: IncomingMessage): Promise<void> {
  const type = post.headers["content-type"] ?? "application/octet-stream";
  const body = type === WITH_PRELUDE ? afterPrelude(post, res) : (post as AsyncIterable<Buffer>);
  if (type !== WITH_PRELUDE) res.setHeader("content-type", type);
  for await (const chunk of body) if (!res.write(chunk)) await drained(res);
  if (post.trailers[ERROR_TYPE] === undefined) res.end();
}

/** The body behind status and headers, which are sent at once. */
async function* afterPrelude(post: AsyncIterable<Buffer>, res: ServerResponse): AsyncIterable<Buffer> {
  let prelude: Buffer | null = Buffer.alloc(0);
  for await (const chunk of post) {
    if (prelude === null) {
      yield chunk;
      continue;
    }
    prelude = Buffer.concat([prelude, chunk]);
    const end: number = prelude.indexOf(PRELUDE_END);
    if (end < 0 && prelude.length > MAX_PRELUDE) throw new RangeError(`the head of the response has more than ${MAX_PRELUDE} bytes`);
    if (end < 0) continue;
    setHead(res, JSON.parse(prelude.toString("utf8", 0, end)));
    res.flushHeaders();
    yield prelude.subarray(end + PRELUDE_END.length);
    prelude = null;
  }
  if (prelude !== null) throw new SyntaxError("the response ends before the eight NUL bytes after its head");
}

/** Resolves also where the client has gone: the rest is read, and dropped. */
function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      res.off("drain", done).off("close", done);
      resolve();
    };
    if (res.closed) resolve();
    else res.on("drain", done).on("close", done);
  });
}

function fail({ res, call, isPayload }: Invocation, error: BootstrapError): void {
  currentCall.run(call, () => {
    logError(describe(error));
    if (isPayload) answerFault(res, { errorType: error.type || "Error", errorMessage: error.message, trace: error.frames });
    else platformError(res, 500, "FUNCTION_ERROR", error.message);
  });
}

function brokenBy(post: IncomingMessage, { res }: Invocation): boolean {
  return post.trailers[ERROR_TYPE] !== undefined && !res.writableEnded && !res.closed;
}

function trailerOf({ trailers }: IncomingMessage): string {
  return `${trailers[ERROR_TYPE]} ${Buffer.from(trailers[ERROR_BODY] ?? "", "base64").toString()}`;
}

/** JSON, or the text itself: bootstraps in shell often answer with one. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
