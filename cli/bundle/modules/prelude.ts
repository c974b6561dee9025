/** The first line of a bundle, until its prelude is known: replacing one line by another keeps source maps valid. */
export const PLACEHOLDER = "/* berth:prelude */";

export type Format = "esm" | "cjs";

/** The extension of a bundle in each format. */
export const EXTENSIONS = { esm: ".mjs", cjs: ".cjs" } as const;

/** The prefix of names in the prelude, which users' code does not use. */
const PREFIX = "__berth_";
const IDS = /__berth_[0-9a-f]{12}\b/g;

/** The name that stands for `import.meta` of one module in a bundle. `key` is unique to the module. */
export function moduleName(key: string): string {
  return PREFIX + key;
}

/** Names that stand for modules in `code`. */
export function modulesIn(code: string): string[] {
  return [...new Set(code.match(IDS))].sort();
}

/** Code that creates a module's `import.meta`, and the CommonJS equivalents, from the module's place in the deployed code. */
const MODULE = `function __berth_module(place) {
  const { dirname, join } = require("node:path"), { pathToFileURL } = require("node:url"), { createRequire, isBuiltin } = require("node:module");
  const filename = join(__berth_top, place), url = pathToFileURL(filename).href;
  const resolveRequire = (...args) => createRequire(filename).resolve(...args);
  resolveRequire.paths = (name) => createRequire(filename).resolve.paths(name);
  const resolve = (name) => /^\\.{0,2}\\/|^[a-z][a-z0-9+.-]*:/i.test(name) ? new URL(name, url).href : isBuiltin(name) ? "node:" + name : pathToFileURL(resolveRequire(name)).href;
  return { url, filename, dirname: dirname(filename), resolve, resolveRequire };
}`.replaceAll(/\n\s*/g, " ");

/**
 * The code that a bundle begins with, in one line. `place` is that of the bundle itself; `modules` has the place of each
 * module by its name. ES modules get a `require` for their CommonJS parts; esbuild renames any other of that name.
 */
export function prelude(format: Format, place: string, modules: ReadonlyMap<string, string>): string {
  const parts =
    format === "esm" ? ['import { createRequire as __berth_createRequire } from "node:module"; const require = __berth_createRequire(import.meta.url);'] : [];
  if (modules.size > 0) {
    const at = format === "esm" ? 'require("node:url").fileURLToPath(import.meta.url)' : "__filename";
    const up = "../".repeat(place.split("/").length);
    parts.push(`const __berth_top = require("node:path").join(${at}, ${JSON.stringify(up)});`, MODULE);
    for (const [name, path] of modules) parts.push(`const ${name} = __berth_module(${JSON.stringify(path)});`);
  }
  return parts.join(" ");
}
