import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { unpackTar } from "modern-tar";

/**
 * Unpacks a function layer (an uncompressed tar) below `dir`. Only plain files inside `dir` are
 * written: the pool manager has already refused anything else, so a violation here is an error.
 */
export async function unpackLayer(layer: Uint8Array, dir: string): Promise<void> {
  for (const { header, data } of await unpackTar(layer)) {
    if (header.type === "directory") continue;
    const target = join(dir, header.name);
    if (!target.startsWith(dir + sep)) throw new Error(`the layer writes outside its directory: ${header.name}`);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, data ?? "");
  }
}
