import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { replaceFile } from "../async/atomic-file.ts";
import { type LayerFile, packLayer } from "./layer.ts";
import { digestOf, type Layer } from "./oci.ts";

const FILE_MODE = 0o644;

export interface KeptLayer {
  layer: Layer;
  file: string;
}

/** A large layer that is packed and compressed once and kept as `file`; rebuilt if it is missing or not `usable`. */
export async function keptLayer(file: string, mode: number, files: () => Promise<LayerFile[]>, usable = true): Promise<KeptLayer> {
  const description = `${file}.json`;
  if (!existsSync(description) || !usable) {
    await mkdir(dirname(file), { recursive: true });
    const tar = await packLayer(await files(), "", mode);
    const zipped = await promisify(gzip)(tar, { level: 6 });
    await replaceFile(file, zipped, { mode: FILE_MODE });
    const layer: Layer = { digest: digestOf(zipped), size: zipped.length, diffId: digestOf(tar) };
    await replaceFile(description, JSON.stringify(layer), { mode: FILE_MODE });
  }
  return { layer: JSON.parse(await readFile(description, "utf8")) as Layer, file };
}
