import { realpathSync } from "node:fs";
import type { SourceMap } from "node:module";
import { basename, dirname, resolve } from "node:path";
import { formatOf } from "../format.ts";
import { isFile } from "../source.ts";
import { withExtension } from "./places.ts";
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

const LITERAL = String.raw`(?<quote>["'\`])(?<path>[^"'\`$\\\n]+)\k<quote>`;
const BY_URL = new RegExp(String.raw`\bnew\s+URL\(\s*${LITERAL}\s*,\s*import\.meta\.url\s*\)`, "g");
const BY_DIRECTORY = new RegExp(String.raw`\b(?:join|resolve)\(\s*(?:__dirname|import\.meta\.dirname)\s*,\s*${LITERAL}\s*\)`, "g");
/** The code before the path of a module that is run: by node:worker_threads, node:child_process, or a pool such as Piscina. */
const RUNS = /(?:\bWorker\s*\(|\bfork\s*\(|\bfilename\s*:)\s*(?:[\w.]+\(\s*)?(?:[\w.]+\.)?$/;
const CODE = ["", ".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"];
/** How many characters before a path are searched for `Worker(`; far more than usually separate them. */
const BEFORE = 80;

/**
 * Records the files that a module names by a literal path relative to itself. Returns the module's text, with the paths of
 * workers replaced by those of their bundles.
 */
export async function referencesIn(path: string, text: string, files: BundledFiles): Promise<string> {
  const edits: { from: number; to: number; text: string }[] = [];
  for (const match of [...text.matchAll(BY_URL), ...text.matchAll(BY_DIRECTORY)]) {
    const { path: named = "", quote = "" } = match.groups ?? {};
    const target = resolve(dirname(path), named);
    const worker = RUNS.test(text.slice(Math.max(0, match.index - BEFORE), match.index)) ? workerAt(target) : undefined;
    if (worker) {
      const extension = EXTENSIONS[await formatOf(worker)];
      files.workers.set(worker, extension);
      const from = match.index + match[0].indexOf(quote + named + quote) + 1;
      edits.push({ from, to: from + named.length, text: withExtension(named, extension) });
    } else if (isFile(target) && !basename(target).startsWith(".")) {
      files.assets.add(target);
    }
  }
  return edits.sort((a, b) => b.from - a.from).reduce((edited, edit) => edited.slice(0, edit.from) + edit.text + edited.slice(edit.to), text);
}

/** The source of a worker. As in imports, `./w` and `./w.js` may name `w.ts`. */
function workerAt(target: string): string | undefined {
  const names = CODE.flatMap((extension) => [target + extension, withExtension(target, extension)]);
  const found = names.find((name) => /\.[cm]?[jt]s$/.test(name) && isFile(name));
  return found && realpathSync(found);
}
