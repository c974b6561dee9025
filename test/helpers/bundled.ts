import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { BundleOptions } from "../../cli/bundle/build.ts";
import { bundle } from "../../cli/bundle/bundle.ts";
import { unpackLayer } from "../../runtime-images/protocol/layer.ts";
import type { FromWorker, ToWorker } from "../../runtime-images/protocol/worker.ts";

type Files = Record<string, string | Uint8Array>;

/** A directory with these files, paths relative to it. */
export function directoryOf(files: Files): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "berth-test-")));
  for (const [path, data] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), data);
  }
  return dir;
}

export interface Bundled {
  /** The directory of the deployed code. */
  dir: string;
  /** Its entry module. */
  entry: string;
  /** The messages to the user. */
  said: string[];
}

/** Bundles `from` as a deployment does and unpacks it as an instance does. */
export async function bundled(from: string, options: BundleOptions = {}): Promise<Bundled> {
  const said: string[] = [];
  const tar = Buffer.from(await bundle(from, { ...options, say: (text) => said.push(text) }));
  const dir = directoryOf({});
  unpackLayer(tar, dir);
  return { dir, entry: tar.includes("index.mjs\0") ? join(dir, "index.mjs") : join(dir, "index.cjs"), said };
}

const FUNCTION = { "x-berth-function": "f", "x-berth-revision": "r1" };
const SETTINGS = { entry: "", handler: null, signature: null, concurrency: 10, timeoutMs: 5000 };

/** A function in a worker process of the runtime. */
export class LoadedFunction {
  readonly #child: ChildProcess;
  readonly #port: number;
  /** The error of the load; null: it succeeded. */
  readonly error: string | null;
  #output = "";

  private constructor(child: ChildProcess, port: number, error: string | null) {
    this.#child = child;
    this.#port = port;
    this.error = error;
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (data) => (this.#output += data));
  }

  static async load(file: string): Promise<LoadedFunction> {
    const child = fork("runtime-images/node/dist/worker.cjs", {
      execArgv: ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { TMPDIR: tmpdir() },
    });
    const next = () => new Promise<FromWorker>((resolve) => child.once("message", (message) => resolve(message as FromWorker)));
    const ready = await next();
    if (ready.type !== "ready") throw new Error("the worker is not ready");
    const loaded = next();
    child.send({ type: "load", functionUid: "f", functionName: "f", revision: "r1", file, settings: SETTINGS, env: {}, key: null } satisfies ToWorker);
    const result = await loaded;
    return new LoadedFunction(child, ready.port, result.type === "loadFailed" ? result.message : null);
  }

  /** Its answer as text. */
  async invoke(path = "/"): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.#port}${path}`, { headers: FUNCTION })).text();
  }

  /** Its output so far. */
  get output(): string {
    return this.#output;
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Bundles, loads and invokes once; what it answered, as JSON. */
export async function answerOf(files: Files, options: BundleOptions & { from?: string } = {}): Promise<Record<string, unknown>> {
  const { from = "", ...rest } = options;
  const { entry } = await bundled(join(directoryOf(files), from), rest);
  const loaded = await LoadedFunction.load(entry);
  try {
    if (loaded.error !== null) throw new Error(loaded.error);
    return JSON.parse(await loaded.invoke()) as Record<string, unknown>;
  } finally {
    loaded.end();
  }
}
