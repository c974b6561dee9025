import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CACHE_SUFFIX, unpackLayer } from "../../runtime-images/protocol/layer.ts";
import { FUNCTION_ROOT } from "../../runtime-images/protocol/messages.ts";
import { Sequencer } from "../async/sequencer.ts";
import type { Collector } from "../functions/retention.ts";

/** Modules below this many bytes load as fast without a code cache. */
const CACHE_FROM = 64 * 1024;
const COMPILE_TIMEOUT_MS = 20_000;
/** The file that names the boot of the machine in which the code was unpacked. */
const BOOT = "boot-id";
/** The kernel's id of this boot; other systems have none. */
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** The program that compiles modules. It must run on the Node version that loads them: no other accepts its cache. */
export interface Compiler {
  node: string;
  program: string;
}

/** Unpacked code by digest, with V8's code cache of its entry module. */
export class CodeDir {
  readonly #dir: string;
  readonly #compiler: Compiler;
  readonly #bootId: string;
  readonly #compilations = new Sequencer();

  constructor(dir: string, compiler: Compiler, bootId = textOf(BOOT_ID)) {
    this.#dir = dir;
    this.#compiler = compiler;
    this.#bootId = bootId;
  }

  /**
   * Creates the directory and removes leftovers of interrupted writes. After another boot of the machine it removes
   * everything: files are unpacked without a sync, and a machine that lost its power may have kept empty ones.
   */
  open(): void {
    const mark = join(this.#dir, BOOT);
    if (existsSync(mark) && textOf(mark) !== this.#bootId) rmSync(this.#dir, { recursive: true });
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    if (this.#bootId !== "") writeFileSync(mark, this.#bootId);
    for (const name of readdirSync(this.#dir)) if (name.endsWith(".tmp")) rmSync(join(this.#dir, name), { recursive: true });
  }

  /** Returns the directory of a layer's function files; unpacks the layer if needed. */
  ensure(digest: string, layer: Uint8Array): string {
    const dir = this.#unpacked(digest);
    if (!existsSync(dir)) {
      unpackLayer(Buffer.from(layer.buffer, layer.byteOffset, layer.length), `${dir}.tmp`);
      renameSync(`${dir}.tmp`, dir);
    }
    return join(dir, FUNCTION_ROOT);
  }

  /** Compiles a large entry module of JavaScript to a code cache in the background: one module at a time, at low priority. */
  compile(digest: string, entry: string, layer: Uint8Array): void {
    if (layer.length < CACHE_FROM || !/\.[cm]?js$/.test(entry)) return;
    const file = join(this.ensure(digest, layer), entry);
    if (statSync(file).size < CACHE_FROM || existsSync(file + CACHE_SUFFIX)) return;
    void this.#compilations.run(() => this.#compile(file));
  }

  /** Reads a module's code cache; null: it has none, or none yet. */
  compiled(digest: string, entry: string): Promise<Uint8Array | null> {
    return readFile(join(this.#unpacked(digest), FUNCTION_ROOT, entry + CACHE_SUFFIX)).catch(() => null);
  }

  /** Removes layers that are not in `digests`, each once the collector allows it. */
  retain(digests: ReadonlySet<string>, collector: Collector): void {
    const keep = new Set([...digests].map((digest) => digest.replace(":", "-")));
    for (const name of readdirSync(this.#dir)) {
      if (keep.has(name) || name.endsWith(".tmp") || name === BOOT) continue;
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
    // Failures are ignored: code with a syntax error gets no cache, and its load reports the error.
    return new Promise((resolve) => {
      if (!existsSync(dirname(file)) || existsSync(file + CACHE_SUFFIX)) return resolve();
      execFile(this.#compiler.node, args, options, () => resolve());
    });
  }
}

/** The content of a file; empty if there is none. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
