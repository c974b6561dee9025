import { createHash } from "node:crypto";
import { mkdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";

/** A state directory that cannot be used; the message says why and what to do. */
export class StateDirError extends Error {}

/**
 * Locks the directory for this process with a Unix socket in the abstract namespace: the kernel gives a name to one
 * process and releases it however that process ends. Systems without that namespace (macOS) use a socket file.
 */
export class StateDirLock {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async acquire(dir: string): Promise<StateDirLock> {
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await writeFile(join(dir, ".writable"), "");
      await rm(join(dir, ".writable"));
    } catch (error) {
      throw new StateDirError(`the state directory ${dir} is not writable: ${(error as Error).message}; choose another with --state-dir`);
    }
    const path = await realpath(dir);
    const server = createServer((socket) => socket.end());
    await listen(server, lockName(path), dir);
    await writeFile(join(dir, "berth.pid"), String(process.pid));
    return new StateDirLock(server);
  }

  release(): void {
    this.#server.close();
  }
}

function lockName(path: string): string {
  const hash = createHash("sha256").update(path).digest("hex").slice(0, 32);
  return process.platform === "linux" ? `\0berth-${hash}` : join(path, "lock");
}

async function listen(server: Server, name: string, dir: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(name, () => resolve());
  }).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "EADDRINUSE") throw new StateDirError(`the state directory ${dir} cannot be locked: ${error.message}`);
    const pid = await readFile(join(dir, "berth.pid"), "utf8").catch(() => "unknown");
    throw new StateDirError(`the state directory ${dir} is in use by another berth (process ${pid}); stop it, or choose another with --state-dir`);
  });
  server.unref();
}
