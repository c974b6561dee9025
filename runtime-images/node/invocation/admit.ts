import type { IncomingMessage } from "node:http";
import type { Admission, Admit } from "../../protocol/admission.ts";
import { FUNCTION_HEADER, KEY_HEADER, REVISION_HEADER } from "../../protocol/headers.ts";

/** Decides about a request by what the router says in its headers. `key`: what it has to present; null: nothing. */
export function admitRequest(req: IncomingMessage, { admission, key, parked }: { admission: Admission; key: string | null; parked: boolean }): Admit {
  const { [FUNCTION_HEADER]: functionUid, [REVISION_HEADER]: revision, [KEY_HEADER]: given } = req.headers;
  // Only routers have the key of an instance; to anyone else it is not the function's.
  if (key !== null && given !== key) return admission.admit("", "", parked);
  const admit = admission.admit(String(functionUid), String(revision), parked);
  if ("run" in admit && given !== undefined) conceal(KEY_HEADER, req);
  return admit;
}

/** Empties a header of a request: many functions answer or log all that they got. Node counts on the number of raw headers. */
function conceal(name: string, { headers, rawHeaders }: IncomingMessage): void {
  delete headers[name];
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === name) rawHeaders[i + 1] = "";
}
