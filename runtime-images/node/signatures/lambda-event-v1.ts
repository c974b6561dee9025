import type { IncomingMessage } from "node:http";
import { isText, sourceOf, splitUrl, textOf, timeOfRequest } from "./lambda-event.ts";

/**
 * Converts a request to the event of API Gateway's REST APIs, payload format 1.0; absent values are null:
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */
export function toEventV1(req: IncomingMessage, body: Buffer, callId: string): unknown {
  const { path, query } = splitUrl(req.url ?? "/");
  const isBase64Encoded = body.length > 0 && !isText(req, body);
  const headers = valuesOf(pairsOf(req.rawHeaders));
  const parameters = query === "" ? null : valuesOf(new URLSearchParams(query));
  const now = timeOfRequest();
  const host = req.headers.host ?? "";
  return {
    version: "1.0",
    resource: "/{proxy+}",
    path,
    httpMethod: req.method,
    headers: lastOf(headers),
    multiValueHeaders: headers,
    queryStringParameters: parameters && lastOf(parameters),
    multiValueQueryStringParameters: parameters,
    pathParameters: { proxy: path.slice(1) },
    stageVariables: null,
    requestContext: {
      accountId: "anonymous",
      apiId: "berth",
      authorizer: null,
      domainName: host,
      domainPrefix: host.split(".")[0],
      extendedRequestId: callId,
      httpMethod: req.method,
      identity: { ...NOBODY, sourceIp: sourceOf(req), userAgent: req.headers["user-agent"] ?? null },
      path,
      protocol: `HTTP/${req.httpVersion}`,
      requestId: callId,
      requestTime: now.clf,
      requestTimeEpoch: now.epoch,
      resourceId: null,
      resourcePath: "/{proxy+}",
      stage: "$default",
    },
    body: body.length > 0 ? textOf(body, isBase64Encoded) : null,
    isBase64Encoded,
  };
}

const NOBODY = {
  accessKey: null,
  accountId: null,
  caller: null,
  cognitoAuthenticationProvider: null,
  cognitoAuthenticationType: null,
  cognitoIdentityId: null,
  cognitoIdentityPoolId: null,
  principalOrgId: null,
  user: null,
  userArn: null,
};

function* pairsOf(raw: readonly string[]): Iterable<[string, string]> {
  for (let i = 0; i + 1 < raw.length; i += 2) yield [raw[i] as string, raw[i + 1] as string];
}

/** All values of each name, with names in the order of their first occurrence. */
function valuesOf(pairs: Iterable<[string, string]>): Record<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [name, value] of pairs) found.set(name, [...(found.get(name) ?? []), value]);
  return Object.fromEntries(found);
}

function lastOf(values: Record<string, string[]>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, all]) => [name, all.at(-1) as string]));
}
