import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** The writes that the store is made of; a test replaces them to stop the process at each. */
export interface FileOps {
  writeSynced(path: string, data: string, mode: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  syncDir(path: string): Promise<void>;
}

export const realFiles: FileOps = {
  async writeSynced(path, data, mode) {
    await using(await open(path, "w", mode), async (file) => {
      await file.chmod(mode);
      await file.writeFile(data);
      await file.sync();
    });
  },
  rename,
  remove: (path) => rm(path, { force: true }),
  syncDir: async (path) => using(await open(path, "r"), (dir) => dir.sync()),
};

async function using(file: FileHandle, body: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await body(file);
  } finally {
    await file.close();
  }
}

const TEMPORARY = ".tmp";

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

  /** Every file's name and content; leftovers of interrupted writes are removed. */
  async readAll(): Promise<Map<string, string>> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const found = new Map<string, string>();
    for (const name of await readdir(this.#dir)) {
      const path = join(this.#dir, name);
      if (name.endsWith(TEMPORARY)) await rm(path, { force: true });
      else found.set(name, await readFile(path, "utf8"));
    }
    return found;
  }

  async write(name: string, data: string): Promise<void> {
    const path = join(this.#dir, name);
    const temporary = path + TEMPORARY;
    await this.#ops.writeSynced(temporary, data, this.#mode);
    await this.#ops.rename(temporary, path);
    await this.#ops.syncDir(this.#dir);
  }

  async remove(name: string): Promise<void> {
    await this.#ops.remove(join(this.#dir, name));
    await this.#ops.syncDir(this.#dir);
  }
}
