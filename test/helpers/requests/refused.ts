import type { TestBerth } from "../berth.ts";

/** The error with which the manage API refuses a request. */
export async function refused(
  { berth }: TestBerth,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ code: string; field?: string; fix: string; status: number }> {
  const response = await fetch(berth.manageUrl + path, {
    method,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const { error } = (await response.json()) as { error: { code: string; field?: string; fix: string } };
  return { ...error, status: response.status };
}
