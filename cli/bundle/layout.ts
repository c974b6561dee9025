import { readFileSync, statSync } from "node:fs";
import { dirname, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { type LayerFile, programMode } from "../../pool-manager/images/layer.ts";
import { MAP_SUFFIX } from "../../runtime-images/protocol/layer.ts";
import type { Built } from "./build.ts";
import type { Compiled } from "./compile.ts";
import { packageFiles } from "./modules/package-files.ts";
import { Places, withExtension } from "./modules/places.ts";
import { EXTENSIONS, type Format, modulesIn, PLACEHOLDER, prelude } from "./modules/prelude.ts";
import type { Source } from "./source.ts";

/** The files of the deployed code, each with its path there. */
export async function layOut({ base, entry }: Source, built: Built): Promise<LayerFile[]> {
  const { format, main, workers, files, externals, included, inspect } = built;
  const sources = [main, ...workers.values()].flatMap(({ map }) => map.sources);
  const places = new Places(base, included, [...sources, ...files.assets]);
  const extensionOf = (file: string) => (file === entry ? EXTENSIONS[format] : files.workers.get(file));
  const placeOf = (file: string) => withExtension(places.of(file), extensionOf(file));
  const withPrelude = ({ code }: Compiled, place: string) => {
    const modules = new Map(modulesIn(code).map((name) => [name, placeOf(files.modules.get(name) as string)]));
    return completed(code, place, modules);
  };

  const laid = new Map<string, LayerFile>();
  const put = (path: string, data: Uint8Array, mode?: number) => laid.set(path, { path, data, mode });
  const copies = [...packageFiles(externals), ...[...included, ...files.assets].map((file) => [places.of(file), file] as const)];
  for (const [path, file] of copies) {
    // The entry of the code is the bundle, so other files with the name of an entry are left out.
    if (!/^index\.[cm]?js$/.test(path)) put(path, readFileSync(file), programMode(statSync(file).mode));
  }
  for (const [worker, compiled] of workers) put(placeOf(worker), withPrelude(compiled, placeOf(worker)));
  const index = `index${EXTENSIONS[format]}`;
  if (placeOf(entry) !== index) put(placeOf(entry), standIn(format, placeOf(entry), index));
  put(index, inspect ? inspected(withPrelude(main, index), main) : withPrelude(main, index));
  put(index + MAP_SUFFIX, await packMap(main, places));
  return [...laid.values()];
}

/** A bundle with its prelude. Directives such as "use strict" take effect only at the beginning. */
function completed(code: string, place: string, modules: ReadonlyMap<string, string>): Uint8Array {
  const format = place.endsWith(EXTENSIONS.esm) ? "esm" : "cjs";
  const strict = format === "cjs" && code.includes(`${PLACEHOLDER}\n"use strict";`) ? '"use strict"; ' : "";
  return Buffer.from(code.replace(PLACEHOLDER, () => strict + prelude(format, place, modules)));
}

/** A bundle that opens the inspector at any free port, and whose source map names the files on this machine. */
function inspected(code: Uint8Array, { map }: Compiled): Uint8Array {
  const sources = map.sources.map((source) => pathToFileURL(source).href);
  const inline = Buffer.from(JSON.stringify({ ...map, sources })).toString("base64");
  const open = 'process.getBuiltinModule("node:inspector").open(0, "127.0.0.1"); ';
  // Imports come first in any case, and a directive must stay the first statement.
  const text = Buffer.from(code).toString();
  const at = text.startsWith('"use strict"; ') ? '"use strict"; '.length : 0;
  return Buffer.from(`${text.slice(0, at)}${open}${text.slice(at)}\n//# sourceMappingURL=data:application/json;base64,${inline}\n`);
}

/** A module at the path of the entry's source, for code that starts itself as a worker by its own file name. */
function standIn(format: Format, place: string, index: string): Uint8Array {
  const path = JSON.stringify(`./${posix.relative(dirname(place), index)}`);
  return Buffer.from(format === "esm" ? `import ${path};\n` : `module.exports = require(${path});\n`);
}

/** Compresses a source map: it is as large as its code, is deployed with it, and is read only for stack traces. */
function packMap({ map }: Compiled, places: Places): Promise<Buffer> {
  return promisify(gzip)(JSON.stringify({ ...map, sources: map.sources.map((source) => places.of(source)) }));
}
