import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type LayerFile, programMode } from "../../pool-manager/images/layer.ts";

/** A file of a directory as it is deployed. */
export function layerFile(dir: string, path: string): LayerFile {
  const file = join(dir, path);
  return { path, data: readFileSync(file), mode: programMode(statSync(file).mode) };
}
