import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readBody } from "../../node/invocation/body.ts";
import { callIdOf } from "../../node/invocation/call.ts";
import { summaryOf } from "../../node/invocation/describe.ts";
import type { Handle } from "../../node/invocation/invoker.ts";
import { arnOf, FORMATS } from "../../node/signatures/lambda.ts";
import { isPayload, payloadOf } from "../../node/signatures/lambda-payload.ts";
import { answer, answerFailure, describe, failureOf, readText } from "./answers.ts";
import { Invocations } from "./invocations.ts";

const ROOT = "/2018-06-01/runtime";
const OF_INVOCATION = new RegExp(`^${ROOT}/invocation/([^/]+)/(response|error)$`);

export interface RuntimeApiOptions {
  functionName: string;
  timeoutMs: number;
  format: keyof typeof FORMATS;
}

/**
 * The Lambda Runtime API, on loopback: a bootstrap polls for events and posts its answers.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
export class RuntimeApi {
  readonly #invocations = new Invocations();
  readonly #options: RuntimeApiOptions;
  readonly #server: Server;
  #polled: () => void = () => {};
  #initFailed: (message: string) => void = () => {};
  /** Resolves once the bootstrap polls; rejects with the error of its initialization. */
  readonly ready = new Promise<void>((resolve, reject) => {
    this.#polled = resolve;
    this.#initFailed = reject;
  });

  constructor(options: RuntimeApiOptions) {
    this.#options = options;
    // A poll waits for as long as there is no invocation.
    this.#server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (req, res) => {
      this.#serve(req, res).catch((error) => refuse(res, 400, "InvalidRequest", summaryOf(error)));
    });
    this.#server.unref();
    // The load of the function awaits it; a bootstrap may report its error before that.
    this.ready.catch(() => {});
  }

  /** Returns its address, for AWS_LAMBDA_RUNTIME_API. */
  listen(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.on("error", reject);
      this.#server.listen(0, "127.0.0.1", () => resolve(`127.0.0.1:${(this.#server.address() as AddressInfo).port}`));
    });
  }

  /** Passes a request on as an event, and waits for the answer. */
  readonly handle: Handle = async (req, res, call) => {
    const { format, functionName, timeoutMs } = this.#options;
    const deadline = Date.now() + timeoutMs;
    const body = await readBody(req);
    const asPayload = isPayload(req);
    const given = asPayload ? payloadOf(body, res) : FORMATS[format].toEvent(req, body, callIdOf(req));
    if (given === undefined) return;
    const event = JSON.stringify(given);
    const id = this.#invocations.idOf(call.id);
    const trace = req.headers["x-amzn-trace-id"];
    const headers = {
      "lambda-runtime-aws-request-id": id,
      "lambda-runtime-deadline-ms": String(deadline),
      "lambda-runtime-invoked-function-arn": arnOf(functionName),
      ...(trace !== undefined && { "lambda-runtime-trace-id": String(trace) }),
    };
    await new Promise<void>((settle) => this.#invocations.offer({ id, event, headers, res, call, isPayload: asPayload, settle }));
  };

  /** Answers what is open: the bootstrap has ended. */
  lost(how: string): void {
    for (const { call, settle } of this.#invocations.takeAll()) {
      call.crashed(how);
      settle();
    }
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { method, url = "" } = req;
    if (method === "GET" && url === `${ROOT}/invocation/next`) {
      this.#polled();
      return this.#invocations.poll(res);
    }
    if (method === "POST" && url === `${ROOT}/init/error`) {
      this.#initFailed(describe(failureOf(await readText(req))));
      return accept(res);
    }
    const [, id = "", kind] = (method === "POST" && OF_INVOCATION.exec(url)) || [];
    if (kind === undefined) return refuse(res, 404, "NotFound", `${method} ${url} is not part of the Lambda Runtime API of Berth`);
    const invocation = this.#invocations.take(decodeURIComponent(id));
    if (!invocation) return refuse(res, 400, "InvalidRequestID", `no invocation ${id} runs`);
    if (kind === "error") await answerFailure(invocation, req);
    else await answer(invocation, req, FORMATS[this.#options.format].send);
    accept(res);
  }
}

function accept(res: ServerResponse): void {
  res.writeHead(202, { "content-type": "application/json" }).end('{"status":"OK"}');
}

function refuse(res: ServerResponse, status: number, errorType: string, errorMessage: string): void {
  if (res.headersSent || res.closed) return;
  res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ errorMessage, errorType }));
}
