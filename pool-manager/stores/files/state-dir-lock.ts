import { createHash } from "node:crypto";
import { mkdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";

/** A state directory that cannot be used; the message says why and what to do. */
export class StateDirError extends Error {}

/**
 * Locks the directory for this process with a Unix socket in the abstract namespace: the kernel gives a name to one
 * process and releases it however that process ends. Systems without that namespace (macOS) use a socket file, which a
 * crash leaves behind: it is removed if no process listens on it.
 */
export class StateDirLock {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Throws `StateDirError`. */
  static async acquire(dir: string, platform: NodeJS.Platform = process.platform): Promise<StateDirLock> {
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await writeFile(join(dir, ".writable"), "");
      await rm(join(dir, ".writable"));
    } catch (error) {
      throw new StateDirError(`the state directory ${dir} is not writable: ${(error as Error).message}; choose another with --state-dir`);
    }
    const path = await realpath(dir);
    const server = createServer((socket) => socket.end());
    const file = platform === "linux" ? null : join(path, "lock");
    await listen(server, file ?? abstractName(path)).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE") throw new StateDirError(`the state directory ${dir} cannot be locked: ${error.message}`);
      if (file && (await removeStale(file)) && (await isListening(server, file))) return;
      const pid = await readFile(join(dir, "berth.pid"), "utf8").catch(() => "unknown");
      throw new StateDirError(`the state directory ${dir} is in use by another berth (process ${pid}); stop it, or choose another with --state-dir`);
    });
    server.unref();
    // Anything else of this name is replaced: a write to a named pipe would wait for a reader.
    await rm(join(dir, "berth.pid"), { recursive: true, force: true });
    await writeFile(join(dir, "berth.pid"), String(process.pid));
    return new StateDirLock(server);
  }

  release(): void {
    this.#server.close();
  }
}

function abstractName(path: string): string {
  return `\0berth-${createHash("sha256").update(path).digest("hex").slice(0, 32)}`;
}

function listen(server: Server, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(name, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function isListening(server: Server, name: string): Promise<boolean> {
  return listen(server, name).then(
    () => true,
    () => false,
  );
}

/**
 * Removes a socket file on which no process listens; false if one does. The file is renamed before it is asked: of two
 * starts at once, the later one then finds the lock of the earlier one, and gives it back.
 */
async function removeStale(file: string): Promise<boolean> {
  const aside = `${file}.${process.pid}`;
  try {
    await rename(file, aside);
  } catch {
    // Another start has just renamed it.
    return false;
  }
  if (await answers(aside)) {
    await rename(aside, file);
    return false;
  }
  await rm(aside, { force: true });
  return true;
}

function answers(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(file, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
