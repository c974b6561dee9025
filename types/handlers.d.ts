/** Types of functions, by signature. They describe what Berth passes and accepts. */

export interface FetchContext {
  callId: string;
  functionName: string;
  /** Keeps the invocation running for work that continues after the response. */
  waitUntil(promise: Promise<unknown>): void;
  passThroughOnException(): void;
}

/** `export default { fetch }`. `env` has the function's variables and secrets. */
export interface FetchHandler {
  fetch(request: Request, env: Record<string, string>, ctx: FetchContext): Response | Promise<Response>;
}

/** `export default (req, res) => …`. */
export type NodeHandler = (req: import("node:http").IncomingMessage, res: import("node:http").ServerResponse) => unknown;

export interface LambdaContext {
  awsRequestId: string;
  functionName: string;
  functionVersion: string;
  getRemainingTimeInMillis(): number;
}

/** An HTTP request in payload format 2.0. */
export interface LambdaEvent {
  version: string;
  routeKey: string;
  rawPath: string;
  rawQueryString: string;
  cookies?: string[];
  headers: Record<string, string | undefined>;
  queryStringParameters?: Record<string, string | undefined>;
  requestContext: {
    http: { method: string; path: string; protocol: string; sourceIp: string; userAgent: string };
    requestId: string;
    [field: string]: unknown;
  };
  body?: string;
  isBase64Encoded: boolean;
}

export interface LambdaResult {
  statusCode?: number;
  headers?: Record<string, string | number | boolean>;
  cookies?: string[];
  body?: string;
  isBase64Encoded?: boolean;
}

/** `export const handler = …`. A result that is no response is sent as JSON. */
export type LambdaHandler = (event: LambdaEvent, context: LambdaContext) => Promise<LambdaResult | string | object | undefined>;

/** An HTTP request in payload format 1.0. */
export interface LambdaRestEvent {
  resource: string;
  path: string;
  httpMethod: string;
  headers: Record<string, string | undefined> | null;
  multiValueHeaders: Record<string, string[] | undefined> | null;
  queryStringParameters: Record<string, string | undefined> | null;
  multiValueQueryStringParameters: Record<string, string[] | undefined> | null;
  requestContext: { requestId: string; [field: string]: unknown };
  body: string | null;
  isBase64Encoded: boolean;
}

export interface LambdaRestResult {
  statusCode: number;
  headers?: Record<string, string | number | boolean>;
  multiValueHeaders?: Record<string, (string | number | boolean)[]>;
  body: string;
  isBase64Encoded?: boolean;
}

/** `export const handler = …` with `signature: lambda-1.0`. */
export type LambdaRestHandler = (event: LambdaRestEvent, context: LambdaContext) => Promise<LambdaRestResult>;

export interface EventContext {
  eventId: string;
  timestamp: string;
  eventType: string;
  resource: unknown;
}

/** A background function of Google Cloud, with `signature: event`. */
export type EventHandler<T = unknown> = (data: T, context: EventContext) => unknown;
