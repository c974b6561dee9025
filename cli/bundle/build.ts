import { resolve } from "node:path";
import type { BuildFailure, Message } from "esbuild";
import { type Compiled, compile } from "./compile.ts";
import { describeMessage } from "./errors.ts";
import { includedFiles } from "./include.ts";
import { modulesPlugin } from "./modules/modules.ts";
import { NamedPackages } from "./modules/named.ts";
import { type Externals, namedPackages, packagesPlugin } from "./modules/packages.ts";
import { EXTENSIONS, type Format } from "./modules/prelude.ts";
import type { BundledFiles } from "./modules/references.ts";
import type { Source } from "./source.ts";

export interface BundleOptions {
  /** Patterns of files that are deployed as they are, relative to the source's directory. */
  include?: readonly string[];
  /** Names of packages that are deployed as packages; `*` matches anything. */
  external?: readonly string[];
  /** Whether the bundle opens Node's inspector when it loads, and has its source map inside. */
  inspect?: boolean;
  /** Receives the files of which the bundle was made, as absolute paths; of a bundle that failed, those with errors. */
  onInputs?: (files: readonly string[]) => void;
  /** Receives messages for the user: warnings, and packages that are left out of the bundle. */
  say?: (text: string) => void;
}

/** The parts of the deployed code. Paths are absolute. */
export interface Built {
  format: Format;
  main: Compiled;
  /** Bundles of modules that run in threads or processes of their own, by their sources. */
  workers: Map<string, Compiled>;
  files: BundledFiles;
  externals: Externals;
  included: readonly string[];
  inspect: boolean;
}

/** Bundles the entry, and the workers that it and they start. Throws esbuild's `BuildFailure` or a `CliError`. */
export async function buildSource({ base, entry }: Source, format: Format, options: BundleOptions): Promise<Built> {
  const { include = [], external = [], inspect = false, onInputs = () => {}, say = () => {} } = options;
  const files: BundledFiles = { modules: new Map(), assets: new Set(), workers: new Map(), rewritten: new Map() };
  const externals = namedPackages(external, base, say);
  const named = new NamedPackages(base);
  const plugins = [packagesPlugin(external, externals, say), modulesPlugin(base, { files, named, say })];
  const run = async (path: string, as: Format) => {
    const compiled = await compile(path, as, base, plugins).catch((error: Partial<BuildFailure>) => {
      const located = (error.errors ?? []).map((message) => relocate(message, base, files).location?.file);
      onInputs(located.filter((file) => file !== undefined).map((file) => resolve(base, file)));
      throw error;
    });
    for (const warning of compiled.warnings) say(`warning: ${describeMessage(relocate(warning, base, files))}`);
    return compiled;
  };
  const built: Built = { format, main: await run(entry, format), workers: new Map(), files, externals, included: includedFiles(include, base), inspect };
  for (const [worker, extension] of files.workers) {
    if (worker !== entry) built.workers.set(worker, await run(worker, extension === EXTENSIONS.esm ? "esm" : "cjs"));
  }
  const sources = [built.main, ...built.workers.values()].flatMap(({ map }) => map.sources);
  named.addTo(externals, sources, say);
  onInputs([...sources, ...files.assets, ...built.included]);
  return built;
}

/** Maps a message's location to the user's own file. */
function relocate(message: Message, base: string, { rewritten }: BundledFiles): Message {
  const { location } = message;
  const found = location && rewritten.get(resolve(base, location.file))?.findEntry(location.line - 1, location.column);
  if (found && "originalLine" in found) Object.assign(location, { line: found.originalLine + 1, column: found.originalColumn });
  return message;
}
