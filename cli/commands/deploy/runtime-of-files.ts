import { looksLikeCustom } from "../../bundle/custom/custom-source.ts";
import { looksLikePython } from "../../bundle/python/python-source.ts";
import { hasEntry } from "../../bundle/source.ts";

/** Checks of code by its files, for a deployment that names no runtime. The first that holds decides: a directory with a module of JavaScript is Node's, whatever else it has. */
const RUNTIMES: readonly (readonly [string, (from: string) => boolean])[] = [
  ["node", hasEntry],
  ["python", looksLikePython],
  ["custom", looksLikeCustom],
];

/** The runtime of a directory or a file by its files; null: no runtime has an entry there. */
export function runtimeOfFiles(from: string): string | null {
  return RUNTIMES.find(([, looksLike]) => looksLike(from))?.[0] ?? null;
}
