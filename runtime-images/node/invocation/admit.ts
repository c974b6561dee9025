import type { IncomingMessage } from "node:http";
import type { Admission, Admit } from "../../protocol/admission.ts";
import { FUNCTION_HEADER, KEY_HEADER, REVISION_HEADER } from "../../protocol/headers.ts";

/** Checks a request by the headers that the router has set. `key`: the key that it must present; null: none. */
export function admitRequest(req: IncomingMessage, { admission, key, parked }: { admission: Admission; key: string | null; parked: boolean }): Admit {
  const { [FUNCTION_HEADER]: functionUid, [REVISION_HEADER]: revision, [KEY_HEADER]: given } = req.headers;
  // Only routers have an instance's key; a request without it is refused like one for another function.
  if (key !== null && given !== key) return admission.admit("", "", parked);
  const admit = admission.admit(String(functionUid), String(revision), parked);
  if ("run" in admit && given !== undefined) conceal(KEY_HEADER, req);
  return admit;
}

/** Hides a header from the function, since many functions return or log all headers. Its raw value is emptied, not removed, since Node relies on the number of raw headers. */
function conceal(name: string, { headers, rawHeaders }: IncomingMessage): void {
  delete headers[name];
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === name) rawHeaders[i + 1] = "";
}
