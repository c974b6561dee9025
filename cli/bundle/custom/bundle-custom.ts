import { packLayer } from "../../../pool-manager/images/layer.ts";
import { ENTRY_NAME } from "../../../runtime-images/protocol/layer.ts";
import { layerFile } from "../layer-file.ts";
import { projectFiles } from "../project-files.ts";
import { checkProgram } from "./check-program.ts";
import type { CustomSource } from "./custom-source.ts";

/** Packs a directory as it is, with packages that are installed in it, into the tar that POST /v1/code accepts. `include`: patterns that begin with `!` leave files out. */
export async function bundleCustom(source: CustomSource, include: readonly string[], machine: string): Promise<Uint8Array> {
  checkProgram(source, machine);
  const { base, only } = source;
  const paths = only === null ? projectFiles(base, include) : [only];
  const files = paths.filter((path) => path !== ENTRY_NAME).map((path) => layerFile(base, path));
  // The command is a setting: no file of the code is its entry.
  return packLayer([...files, { path: ENTRY_NAME, data: Buffer.from(ENTRY_NAME) }]);
}
