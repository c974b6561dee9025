import { closeSync, openSync, readSync } from "node:fs";

/** How much of a file tells what it is: an ELF header, its program headers, or a script's first line. */
const HEAD_BYTES = 4096;

const ELF = 0x7f454c46;
const MACHINES: Record<number, string> = { 3: "x86 (32 bits)", 40: "arm (32 bits)", 62: "amd64", 183: "arm64", 243: "riscv64" };
const NODE_ARCHITECTURES: Record<string, string> = { x64: "amd64", arm64: "arm64", riscv64: "riscv64" };
/** First bytes of Mach-O files: 32 and 64 bits in both orders, and for several processors. */
const MACH_O = new Set([0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe, 0xcafebabe]);
const INTERPRETER_SEGMENT = 3;

export type Executable =
  /** A program of Linux. `loader`: the dynamic loader that it needs; null: none. */
  | { kind: "elf"; machine: string; loader: string | null }
  /** A program of another system. */
  | { kind: "foreign"; system: string }
  /** A script: the words of its first line. */
  | { kind: "script"; interpreter: string[] }
  | { kind: "other" };

export function readExecutable(file: string): Executable {
  const head = readHead(file);
  const magic = head.length >= 4 ? head.readUInt32BE(0) : 0;
  if (magic === ELF && head.length >= 64) return elf(head);
  if (MACH_O.has(magic)) return { kind: "foreign", system: "macOS" };
  const start = head.toString("latin1", 0, 2);
  if (start === "MZ") return { kind: "foreign", system: "Windows" };
  if (start !== "#!") return { kind: "other" };
  const [line = ""] = head.toString("utf8", 2).split("\n", 1);
  return { kind: "script", interpreter: line.split(/[ \t]+/).filter(Boolean) };
}

/** The architecture of this machine, in the words of `Executable`. */
export function ownMachine(): string {
  return NODE_ARCHITECTURES[process.arch] ?? process.arch;
}

function readHead(file: string): Buffer {
  const fd = openSync(file, "r");
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return head.subarray(0, readSync(fd, head, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(fd);
  }
}

/** https://refspecs.linuxfoundation.org/elf/elf.pdf, and its form of 64 bits in little-endian order. */
function elf(head: Buffer): Executable {
  const machine = head.readUInt16LE(18);
  const name = MACHINES[machine] ?? `processor ${machine}`;
  if (head[4] !== 2 || head[5] !== 1) return { kind: "elf", machine: name, loader: null };
  const [at, size, count] = [Number(head.readBigUInt64LE(32)), head.readUInt16LE(54), head.readUInt16LE(56)];
  for (let i = 0; i < count; i++) {
    const entry = at + i * size;
    if (entry + 56 > head.length) break;
    if (head.readUInt32LE(entry) !== INTERPRETER_SEGMENT) continue;
    const from = Number(head.readBigUInt64LE(entry + 8));
    const text = head.toString("utf8", from, Math.min(head.length, from + Number(head.readBigUInt64LE(entry + 32))));
    return { kind: "elf", machine: name, loader: text.split("\0", 1)[0] || null };
  }
  return { kind: "elf", machine: name, loader: null };
}
