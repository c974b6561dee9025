import { createHash } from "node:crypto";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";

/** A Unix socket's path holds 107 bytes on Linux, 103 on macOS; uid and file name need 22 of them. */
const MAX_DIR = 80;

/** Where instances live: in the state directory, or where its path is too long for sockets, in the temporary one. */
export function instanceDir(stateDir: string): string {
  const own = resolve(stateDir, "instances");
  if (Buffer.byteLength(own) <= MAX_DIR) return own;
  const hash = createHash("sha256").update(own).digest("hex").slice(0, 12);
  return join(tmpdir(), `berth-${userInfo().uid}-${hash}`);
}
