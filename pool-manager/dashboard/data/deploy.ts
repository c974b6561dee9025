import { createTar } from "nanotar";
import { longPoll } from "../../async/long-poll.ts";
import { ApiError, call, functionPath, request } from "./api.ts";
import { store } from "./store.ts";
import type { DeployAnswer, LoadAnswer } from "./types.ts";

/** A file of the code; its path is relative to the directory that is deployed. */
export interface CodeFile {
  path: string;
  data: Uint8Array;
}

const UPLOAD_MS = 120_000;
/** The longest name in the archive. */
const MAX_PATH_BYTES = 100;
/** How much longer than it waits a request for the load may take. */
const LATE_MS = 10_000;
const LOAD_MS = 120_000;

/** Deploys code. An existing function keeps its settings. Resolves with the revision once an instance has loaded it. */
export async function deploy(name: string, runtime: string, files: readonly CodeFile[]): Promise<string> {
  const code = await upload(files);
  const exists = await isDeployed(name);
  const body = { code, onceLoaded: true, ...(!exists && { runtime }) };
  const { latest } = await call<DeployAnswer>(exists ? "PATCH" : "PUT", functionPath(name), body, UPLOAD_MS);
  await loaded(name, latest);
  return latest;
}

/** Asks only if the page does not know all functions. */
async function isDeployed(name: string): Promise<boolean> {
  const { functions, status } = store.get();
  if (functions.has(name)) return true;
  if (status?.functions === functions.size) return false;
  return call("GET", functionPath(name)).then(
    () => true,
    (error: ApiError) => {
      if (error.code === "FUNCTION_NOT_FOUND") return false;
      throw error;
    },
  );
}

async function upload(files: readonly CodeFile[]): Promise<string> {
  const long = files.find(({ path }) => new TextEncoder().encode(path).length > MAX_PATH_BYTES);
  if (long)
    throw new ApiError(0, "PATH_TOO_LONG", `${long.path} has more than ${MAX_PATH_BYTES} bytes`, "deploy it with berth deploy, which has no such limit");
  const tar = createTar(files.map(({ path, data }) => ({ name: path, data })));
  const init = { method: "POST", headers: { "content-type": "application/x-tar" }, body: tar as Uint8Array<ArrayBuffer> };
  const response = await request("/v1/code", { ...init, signal: AbortSignal.timeout(UPLOAD_MS) });
  return ((await response.json()) as { digest: string }).digest;
}

async function loaded(name: string, revision: string): Promise<void> {
  const path = functionPath(name, `/revisions/${encodeURIComponent(revision)}/load`);
  const isLoaded = await longPoll(LOAD_MS, async (askMs) => {
    const view = await call<LoadAnswer>("POST", `${path}?wait=${askMs}ms`, undefined, askMs + LATE_MS);
    return view.loaded || null;
  });
  if (isLoaded) return;
  throw new ApiError(
    0,
    "LOAD_PENDING",
    `no instance has loaded ${revision} within ${LOAD_MS / 1000} s`,
    "make room in its pool; it takes over once it has loaded",
  );
}
