import { createHash } from "node:crypto";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";

/** In bytes. A Unix socket's path may have 107 bytes on Linux, 103 on macOS; uid and file name take 22 of them. */
const MAX_DIR = 80;

/** The directory of instances: in the state directory, or in the temporary directory if that path is too long for sockets. */
export function instanceDir(stateDir: string): string {
  const own = resolve(stateDir, "instances");
  if (Buffer.byteLength(own) <= MAX_DIR) return own;
  const hash = createHash("sha256").update(own).digest("hex").slice(0, 12);
  return join(tmpdir(), `berth-${userInfo().uid}-${hash}`);
}
