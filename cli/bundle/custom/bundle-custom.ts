import { globSync } from "tinyglobby";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import { ENTRY_NAME } from "../../../runtime-images/protocol/layer.ts";
import { layerFile } from "../layer-file.ts";
import { checkProgram } from "./check-program.ts";
import type { CustomSource } from "./custom-source.ts";

/** These files are not deployed: no command needs them, and `.env` has secrets of the developer's machine. Packages that are installed beside the code are its own. */
const LEFT_OUT = ["**/.git/**", "**/.hg/**", "**/.{idea,vscode,berth}/**", "**/.env", "**/.DS_Store", "berth.{yaml,yml}"];

/** Packs a directory as it is into the tar that POST /v1/code accepts. `include`: patterns that begin with `!` leave files out. */
export async function bundleCustom(source: CustomSource, include: readonly string[], machine: string): Promise<Uint8Array> {
  checkProgram(source, machine);
  const { base, only } = source;
  const without = include.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
  const paths = only === null ? globSync("**/*", { cwd: base, dot: true, ignore: [...LEFT_OUT, ...without] }) : [only];
  const files = paths.filter((path) => path !== ENTRY_NAME).map((path) => layerFile(base, path));
  // The command is a setting: no file of the code is its entry.
  return packLayer([...files, { path: ENTRY_NAME, data: Buffer.from(ENTRY_NAME) }]);
}
