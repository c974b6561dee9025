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
}

/** Bundles the entry, and the workers that it and they start. Throws esbuild's `BuildFailure` or a `CliError`. */
export async function buildSource({ base, entry }: Source, format: Format, { include = [], external = [], say = () => {} }: BundleOptions): Promise<Built> {
  const files: BundledFiles = { modules: new Map(), assets: new Set(), workers: new Map(), rewritten: new Map() };
  const externals = namedPackages(external, base, say);
  const named = new NamedPackages(base);
  const plugins = [packagesPlugin(external, externals, say), modulesPlugin(base, { files, named, say })];
  const run = async (path: string, as: Format) => {
    const compiled = await compile(path, as, base, plugins).catch((error: Partial<BuildFailure>) => {
      for (const message of error.errors ?? []) relocate(message, base, files);
      throw error;
    });
    for (const warning of compiled.warnings) say(`warning: ${describeMessage(relocate(warning, base, files))}`);
    return compiled;
  };
  const built: Built = { format, main: await run(entry, format), workers: new Map(), files, externals, included: includedFiles(include, base) };
  for (const [worker, extension] of files.workers) {
    if (worker !== entry) built.workers.set(worker, await run(worker, extension === EXTENSIONS.esm ? "esm" : "cjs"));
  }
  named.addTo(
    externals,
    [built.main, ...built.workers.values()].flatMap(({ map }) => map.sources),
    say,
  );
  return built;
}

/** Maps a message's location to the user's own file. */
function relocate(message: Message, base: string, { rewritten }: BundledFiles): Message {
  const { location } = message;
  const found = location && rewritten.get(resolve(base, location.file))?.findEntry(location.line - 1, location.column);
  if (found && "originalLine" in found) Object.assign(location, { line: found.originalLine + 1, column: found.originalColumn });
  return message;
}
