import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** The file operations of an atomic write; a test replaces them to stop the process at each. */
export interface FileOps {
  writeSynced(path: string, data: string | Uint8Array, mode: number): Promise<void>;
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

export interface ReplaceOptions {
  mode: number;
  /** Beside the file; by default one name for all writes, so that an interrupted one leaves a file that the next one overwrites. */
  temporary?: string;
  ops?: FileOps;
}

/**
 * Replaces a file atomically: a reader sees the old content or the new one, and the new one is durable, with its name, once
 * this resolves. A failed write leaves no temporary file.
 */
export async function replaceFile(path: string, data: string | Uint8Array, options: ReplaceOptions): Promise<void> {
  const { mode, temporary = `${path}.tmp`, ops = realFiles } = options;
  try {
    await ops.writeSynced(temporary, data, mode);
    await ops.rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await ops.syncDir(dirname(path));
}

async function using(file: FileHandle, body: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await body(file);
  } finally {
    await file.close();
  }
}
