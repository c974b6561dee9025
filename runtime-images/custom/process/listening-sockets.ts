import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];
/** The state of a socket that listens, in the tables' hexadecimal. */
const LISTEN = "0A";

/** A TCP socket that listens in this network namespace. */
export interface ListeningSocket {
  /** `127.0.0.1:5000` or `[::1]:5000`. */
  address: string;
  /** The user of the process that made it. */
  uid: number;
  inode: string;
}

/** Reads a table in the format of `/proc/net/tcp` (proc(5)), whose addresses are words of the machine's byte order, here little-endian. */
export function parseSockets(table: string): ListeningSocket[] {
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local = "", , state, , , , uid, , inode] = line.trim().split(/\s+/);
      const [host = "", port = ""] = local.split(":");
      return state === LISTEN && inode ? [{ address: `${hostOf(host)}:${Number.parseInt(port, 16)}`, uid: Number(uid), inode }] : [];
    });
}

/** All of this network namespace; none where the system has no such table. */
export function listeningSockets(): ListeningSocket[] {
  return TABLES.flatMap((path) => parseSockets(textOf(path)));
}

/** Inodes of the sockets that processes of this PID namespace hold, as far as this user may see: those whose environment `isWanted`. */
export function socketsOf(isWanted: (pid: number, environment: string) => boolean): Set<string> {
  const inodes = new Set<string>();
  for (const pid of entries("/proc").map(Number)) {
    if (!pid || !isWanted(pid, textOf(`/proc/${pid}/environ`))) continue;
    for (const fd of entries(`/proc/${pid}/fd`)) {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`)) ?? [];
      if (inode) inodes.add(inode);
    }
  }
  return inodes;
}

function hostOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => `${bytes[2 * i]}${bytes[2 * i + 1]}`);
  return new URL(`http://[${groups.join(":")}]`).hostname;
}

const textOf = (path: string) => attempt(() => readFileSync(path, "latin1"), "");
const linkOf = (path: string) => attempt(() => readlinkSync(path), "");
const entries = (path: string) => attempt(() => readdirSync(path), []);

/** A process may end while it is read, and those of other users cannot be read. */
function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
