import { lstat, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type FileOps, realFiles, replaceFile } from "../../async/atomic-file.ts";
import { type SetAside, setAside } from "./set-aside.ts";

const TEMPORARY = ".tmp";
/** The largest file that is read: no file that Berth writes comes near it. */
const MAX_BYTES = 64 * 1024 * 1024;
/** The longest recorded reason of a damaged file, in characters. */
const MAX_REASON = 500;
/** How many files are read concurrently: each read takes a descriptor. */
const READS = 32;

/** Throws if the path is not a regular file of valid UTF-8. */
async function readText(path: string): Promise<string> {
  const stat = await lstat(path);
  if (!stat.isFile()) throw new Error(stat.isDirectory() ? "it is a directory" : "it is not a file");
  if (stat.size > MAX_BYTES) throw new Error(`it has ${stat.size} bytes`);
  return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
}

function textOf(read: PromiseSettledResult<string>): string {
  if (read.status === "rejected") throw read.reason;
  return read.value;
}

function isTemporary(name: string): boolean {
  return name.endsWith(TEMPORARY);
}

/** A directory of small files, each replaced atomically: a reader sees the old content or the new one. */
export class FileSet {
  readonly #dir: string;
  readonly #mode: number;
  readonly #ops: FileOps;

  constructor(dir: string, mode: number, ops: FileOps = realFiles) {
    this.#dir = dir;
    this.#mode = mode;
    this.#ops = ops;
  }

  /**
   * Parses every file and returns the results by file name. Removes leftovers of interrupted writes. A file that cannot be
   * read, or for which `parse` throws, is set aside.
   */
  async readAll<T>(parse: (name: string, text: string) => T): Promise<{ found: Map<string, T>; damaged: SetAside[] }> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const found = new Map<string, T>();
    const damaged: SetAside[] = [];
    const names = await readdir(this.#dir);
    for (const name of names.filter(isTemporary)) await rm(join(this.#dir, name), { force: true, recursive: true });
    const complete = names.filter((name) => !isTemporary(name));
    for (let from = 0; from < complete.length; from += READS) {
      const some = complete.slice(from, from + READS);
      const texts = await Promise.allSettled(some.map((name) => readText(join(this.#dir, name))));
      for (const [i, name] of some.entries()) {
        try {
          found.set(name, parse(name, textOf(texts[i] as PromiseSettledResult<string>)));
        } catch (error) {
          damaged.push(await setAside(this.#dir, name, (error as Error).message.slice(0, MAX_REASON)));
        }
      }
    }
    return { found, damaged };
  }

  /** Sets aside a file that was read but cannot be used. */
  setAside(name: string, reason: string): Promise<SetAside> {
    return setAside(this.#dir, name, reason);
  }

  write(name: string, data: string): Promise<void> {
    const path = join(this.#dir, name);
    return replaceFile(path, data, { mode: this.#mode, temporary: path + TEMPORARY, ops: this.#ops });
  }

  async remove(name: string): Promise<void> {
    await this.#ops.remove(join(this.#dir, name));
    await this.#ops.syncDir(this.#dir);
  }
}
