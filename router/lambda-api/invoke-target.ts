import { RouterError } from "../errors.ts";

/** The part of Lambda's API that has Invoke: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html */
const PREFIX = "/2015-03-31/functions";
const INVOKE = /^\/2015-03-31\/functions\/([^/?]*)\/invocations(?:\?(.*))?$/;
/** A name, or an ARN or the end of one; with or without a qualifier. */
const NAME = /^(?:(?:(?:arn:[a-z-]+:lambda:[a-z0-9-]+:)?\d{12}:)?function:)?([^:/@]+)(?::([^:/@]+))?$/;
/** Lambda's word for what is invoked without a version. */
const LATEST = "$LATEST";

export interface InvokeTarget {
  name: string;
  /** The revision or alias; null: the traffic split chooses. */
  version: string | null;
}

export function isLambdaApi(url: string): boolean {
  return url.startsWith(PREFIX);
}

/** The function that a URL of Lambda's API invokes, or why it invokes none. */
export function invokeTargetOf(url: string): InvokeTarget | RouterError {
  const [, segment, query] = INVOKE.exec(url) ?? [];
  if (segment === undefined) return new RouterError("ACTION_UNKNOWN", `${JSON.stringify(url.slice(0, 100))} is not the path of Invoke`);
  const [, name, suffix] = NAME.exec(decoded(segment)) ?? [];
  if (name === undefined) return new RouterError("CALL_INVALID", `${JSON.stringify(segment.slice(0, 200))} is not the name or ARN of a function`);
  const given = new URLSearchParams(query).get("Qualifier") ?? undefined;
  if (given !== undefined && suffix !== undefined && given !== suffix) {
    return new RouterError("CALL_INVALID", `the name has another qualifier than ${JSON.stringify(given.slice(0, 80))}`);
  }
  const version = given ?? suffix ?? LATEST;
  return { name, version: version === LATEST ? null : version };
}

/** Empty if the segment is not validly encoded. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return "";
  }
}
