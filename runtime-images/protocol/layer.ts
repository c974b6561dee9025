import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";

const BLOCK = 512;

/** A file that names the entry of the code, where another one than the usual is meant. */
export const ENTRY_NAME = ".berth-entry";

/** Suffix of the code cache beside an unpacked module, which its runtime has compiled in advance. */
export const CACHE_SUFFIX = ".v8";

/** Suffix of the source map beside a module (version 3, gzip); its sources are relative to the function's source directory. */
export const MAP_SUFFIX = ".map.gz";

/**
 * Unpacks a function layer below `dir`. The pool manager packs layers as ustar archives of plain files
 * (POSIX.1-1988, "tar"); anything else is an error. This reader is synchronous and small because it runs
 * in every start.
 */
export function unpackLayer(layer: Buffer, dir: string): void {
  for (let at = 0; at + BLOCK <= layer.length && layer[at] !== 0; ) {
    const { name, size, type, mode } = readHeader(layer.subarray(at, at + BLOCK));
    const target = join(dir, name);
    if (type !== "0" || !target.startsWith(dir + sep)) throw new Error(`the layer contains ${JSON.stringify(name)} of type ${type}`);
    const begin = at + BLOCK;
    if (begin + size > layer.length) throw new Error(`the layer ends within ${name}`);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, layer.subarray(begin, begin + size), { mode });
    at = begin + Math.ceil(size / BLOCK) * BLOCK;
  }
}

function readHeader(header: Buffer): { name: string; size: number; type: string; mode: number } {
  const prefix = text(header, 345, 155);
  const name = text(header, 0, 100);
  const mode = Number.parseInt(text(header, 100, 8), 8);
  const size = Number.parseInt(text(header, 124, 12), 8);
  if (Number.isNaN(size + mode)) throw new Error("the layer is not a tar");
  return { name: prefix ? `${prefix}/${name}` : name, size, type: String.fromCharCode(header[156] || 48), mode };
}

function text(header: Buffer, from: number, length: number): string {
  const field = header.subarray(from, from + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? length : end);
}
