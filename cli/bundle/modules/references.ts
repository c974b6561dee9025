import { realpathSync, statSync } from "node:fs";
import type { SourceMap } from "node:module";
import { basename, dirname, join, resolve, sep } from "node:path";
import { formatOf } from "../format.ts";
import { filesBelow } from "../include.ts";
import { isFile } from "../source.ts";
import { literalPaths, type PathReference } from "./literal-paths.ts";
import { isInstalled, withExtension } from "./places.ts";
import { EXTENSIONS } from "./prelude.ts";

/** The files that were found while bundling. Paths are absolute. */
export interface BundledFiles {
  /** Modules that use their own place, by the name that stands for it in the bundle. */
  modules: Map<string, string>;
  /** Files that are deployed as they are. */
  assets: Set<string>;
  /** Modules that run in threads or processes of their own, and the extension of their bundles. */
  workers: Map<string, string>;
  /** Modules that are rewritten before esbuild reads them, with source maps back to what the user wrote. */
  rewritten: Map<string, SourceMap>;
}

const CODE = ["", ".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"];

/**
 * Records the files that a module names by literal paths relative to itself, or to the directory of the code, in which
 * functions run. Returns the module's text, with the paths of workers replaced by those of their bundles.
 */
export async function referencesIn(path: string, text: string, base: string, files: BundledFiles): Promise<string> {
  const edits: { from: number; to: number; text: string }[] = [];
  for (const reference of literalPaths(text)) {
    // Packages do not know the directory of the code.
    if (reference.from === "code" && isInstalled(path)) continue;
    const target = resolve(join(reference.from === "code" ? base : dirname(path), ...reference.parts.map(({ text }) => text)));
    const worker = reference.runs ? workerAt(target) : undefined;
    if (worker) {
      const extension = EXTENSIONS[await formatOf(worker)];
      files.workers.set(worker, extension);
      const { at, text: named } = reference.parts.at(-1) as PathReference["parts"][number];
      edits.push({ from: at, to: at + named.length, text: withExtension(named, extension) });
    } else {
      for (const file of assetsAt(target, path)) files.assets.add(file);
    }
  }
  return edits.sort((a, b) => b.from - a.from).reduce((edited, edit) => edited.slice(0, edit.from) + edit.text + edited.slice(edit.to), text);
}

/** The file at `target`, or the files below it; none if it contains the module itself, or belongs to a package and is a directory. */
function assetsAt(target: string, module: string): string[] {
  if (basename(target).startsWith(".")) return [];
  if (isFile(target)) return [target];
  const isBeside =
    !isInstalled(module) && !isInstalled(target) && !module.startsWith(target + sep) && statSync(target, { throwIfNoEntry: false })?.isDirectory();
  return isBeside ? filesBelow(target) : [];
}

/** The source of a worker. As in imports, `./w` and `./w.js` may name `w.ts`. */
function workerAt(target: string): string | undefined {
  const names = CODE.flatMap((extension) => [target + extension, withExtension(target, extension)]);
  const found = names.find((name) => /\.[cm]?[jt]s$/.test(name) && isFile(name));
  return found && realpathSync(found);
}
