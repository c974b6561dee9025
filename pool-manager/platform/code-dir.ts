import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CACHE_SUFFIX, unpackLayer } from "../../runtime-images/protocol/layer.ts";
import { FUNCTION_ROOT } from "../../runtime-images/protocol/messages.ts";
import type { Collector } from "../functions/retention.ts";

/** Smaller modules load as fast without a code cache. Bytes. */
const CACHE_FROM = 64 * 1024;
const COMPILE_TIMEOUT_MS = 20_000;

/** What compiles a module: only the Node that loads it takes what that has kept of it. */
export interface Compiler {
  node: string;
  program: string;
}

/** Unpacked code by digest, and what V8 has compiled of it. */
export class CodeDir {
  readonly #dir: string;
  readonly #compiler: Compiler;
  #compiling: Promise<void> = Promise.resolve();

  constructor(dir: string, compiler: Compiler) {
    this.#dir = dir;
    this.#compiler = compiler;
  }

  /** Leftovers of interrupted writes go. */
  open(): void {
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#dir)) if (name.endsWith(".tmp")) rmSync(join(this.#dir, name), { recursive: true });
  }

  /** The directory of a layer's function files; unpacked where it is not yet. */
  ensure(digest: string, layer: Uint8Array): string {
    const dir = this.#unpacked(digest);
    if (!existsSync(dir)) {
      unpackLayer(Buffer.from(layer.buffer, layer.byteOffset, layer.length), `${dir}.tmp`);
      renameSync(`${dir}.tmp`, dir);
    }
    return join(dir, FUNCTION_ROOT);
  }

  /** Has V8 compile a large entry module in the background: one at a time, at low priority. */
  compile(digest: string, entry: string, layer: Uint8Array): void {
    if (layer.length < CACHE_FROM) return;
    const file = join(this.ensure(digest, layer), entry);
    if (statSync(file).size < CACHE_FROM || existsSync(file + CACHE_SUFFIX)) return;
    this.#compiling = this.#compiling.then(() => this.#compile(file));
  }

  /** What V8 has compiled of a module; null: nothing yet, or nothing at all. */
  compiled(digest: string, entry: string): Promise<Uint8Array | null> {
    return readFile(join(this.#unpacked(digest), FUNCTION_ROOT, entry + CACHE_SUFFIX)).catch(() => null);
  }

  /** Removes what is not in `digests` and may go. */
  retain(digests: ReadonlySet<string>, collector: Collector): void {
    const keep = new Set([...digests].map((digest) => digest.replace(":", "-")));
    for (const name of readdirSync(this.#dir)) {
      if (keep.has(name) || name.endsWith(".tmp")) continue;
      const reason = collector.mayGo("layer", name);
      if (reason === null) continue;
      rmSync(join(this.#dir, name), { recursive: true, force: true });
      collector.gone("layer", name, reason);
    }
  }

  #unpacked(digest: string): string {
    return join(this.#dir, digest.replace(":", "-"));
  }

  #compile(file: string): Promise<void> {
    const args = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning", this.#compiler.program, file];
    const options = { timeout: COMPILE_TIMEOUT_MS, killSignal: "SIGKILL", env: {} } as const;
    // Code with a syntax error has no cache: its load will tell.
    return new Promise((resolve) => {
      if (!existsSync(dirname(file)) || existsSync(file + CACHE_SUFFIX)) return resolve();
      execFile(this.#compiler.node, args, options, () => resolve());
    });
  }
}
