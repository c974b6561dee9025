import { store } from "./store.ts";

const KEY = "berth-key";
const CALL_MS = 15_000;

/** An error as the API answers it. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly fix: string;

  constructor(status: number, code: string, message: string, fix: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.fix = fix;
  }
}

/** The key stays in this tab until it is closed; it is in no address and no file. */
export function keepKey(key: string | null): void {
  if (key === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, key);
}

export function hasKey(): boolean {
  return sessionStorage.getItem(KEY) !== null;
}

function authorization(): Record<string, string> {
  const key = sessionStorage.getItem(KEY);
  return key === null ? {} : { authorization: `Bearer ${key}` };
}

/** Resolves with the response of a call that succeeded. Throws `ApiError`, whose code is UNREACHABLE if there was no answer. */
export async function request(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, cache: "no-store", credentials: "omit", headers: { ...authorization(), ...init.headers } });
  } catch (error) {
    if (init.signal?.aborted && init.signal.reason?.name !== "TimeoutError") throw error;
    throw new ApiError(0, "UNREACHABLE", "the pool manager does not answer", "check that it runs, and the way to it");
  }
  if (response.ok) return response;
  throw await errorOf(response);
}

async function errorOf(response: Response): Promise<ApiError> {
  const body = await response.json().catch(() => ({}));
  const { code = `HTTP ${response.status}`, message = response.statusText, fix = "" } = body?.error ?? {};
  const error = new ApiError(response.status, String(code), String(message), String(fix));
  if (error.code === "KEY_MISSING") store.set({ ...store.get(), connection: { is: "key", reason: hasKey() ? "The key is not known here." : "" } });
  return error;
}

export async function call<T>(method: string, path: string, body?: unknown, ms = CALL_MS): Promise<T> {
  const headers: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
  const response = await request(path, { method, headers, body: body === undefined ? null : JSON.stringify(body), signal: AbortSignal.timeout(ms) });
  return (response.status === 204 ? null : await response.json()) as T;
}

/** The path of a function in the API, or of what is below it. */
export function functionPath(name: string, below = ""): string {
  return `/v1/functions/${encodeURIComponent(name)}${below}`;
}
