import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { unpackLayer } from "../../../runtime-images/protocol/layer.ts";
import { FUNCTION_ROOT } from "../../../runtime-images/protocol/messages.ts";

/** Smaller modules load as fast without a code cache. Bytes. */
const CACHE_FROM = 64 * 1024;
const COMPILE_TIMEOUT_MS = 20_000;

/** Unpacked code by digest: the volume that all instances of this machine see. */
export class CodeDir {
  readonly #dir: string;
  /** Program that writes the code cache of a module. */
  readonly #compiler: string;
  #compiling: Promise<void> = Promise.resolve();

  constructor(dir: string, compiler: string) {
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
    const dir = join(this.#dir, digest.replace(":", "-"));
    if (!existsSync(dir)) {
      unpackLayer(Buffer.from(layer.buffer, layer.byteOffset, layer.length), `${dir}.tmp`);
      renameSync(`${dir}.tmp`, dir);
    }
    return join(dir, FUNCTION_ROOT);
  }

  /** Unpacks, and has V8 compile a large entry module in the background: one at a time, at low priority. */
  prepare(digest: string, entry: string, layer: Uint8Array): void {
    const file = join(this.ensure(digest, layer), entry);
    if (statSync(file).size < CACHE_FROM || existsSync(`${file}.v8`)) return;
    this.#compiling = this.#compiling.then(() => this.#compile(file));
  }

  /** Removes what is not in `digests`. */
  retain(digests: ReadonlySet<string>): void {
    const keep = new Set([...digests].map((digest) => digest.replace(":", "-")));
    for (const name of readdirSync(this.#dir)) {
      if (!keep.has(name) && !name.endsWith(".tmp")) rmSync(join(this.#dir, name), { recursive: true, force: true });
    }
  }

  #compile(file: string): Promise<void> {
    const args = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning", this.#compiler, file];
    const options = { timeout: COMPILE_TIMEOUT_MS, killSignal: "SIGKILL", env: {} } as const;
    // Code with a syntax error has no cache: its load will tell.
    return new Promise((resolve) => {
      if (!existsSync(dirname(file)) || existsSync(`${file}.v8`)) return resolve();
      execFile(process.execPath, args, options, () => resolve());
    });
  }
}
