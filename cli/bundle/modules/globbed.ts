import { basename, extname } from "node:path";
import type { Plugin } from "esbuild";

/** esbuild's function for imports whose path is computed, such as `require("./routes/" + name)`. */
const LOOKUP = `  var fn = map[path];
  if (fn) return fn();
  throw new Error("Module not found in bundle: " + path);`;

/** The same, on as many lines, with the names that Node tries, and the error that Node throws. */
const AS_NODE = `  var fn = ["", ".js", ".json", ".node", "/index.js", "/index.json", ".ts", ".cjs", ".mjs", "/index.ts"].map((end) => map[path.replace(/\\/$/, "") + end]).find(Boolean);
  if (fn) return fn();
  throw Object.assign(new Error("Cannot find module '" + path + "' in the bundle"), { code: "MODULE_NOT_FOUND" });`;

/** Makes imports by computed paths find what Node finds. */
export function findAsNode(code: string): string {
  return code.replace(LOOKUP, () => AS_NODE);
}

/**
 * Lets directories from which modules are imported by computed paths have other files in them: they fail when they are
 * imported. What is imported by name needs a loader. `known`: extensions that have one.
 */
export function globbedPlugin(known: readonly string[]): Plugin {
  const extensions = new Set([".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".json", ".css", ".node", ".wasm", ...known]);
  const named = new Set<string>();
  return {
    name: "berth-globbed",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /.*/ }, ({ path }) => void named.add(basename(path)));
      onLoad({ filter: /.*/, namespace: "file" }, ({ path, with: attributes }) => {
        if (extensions.has(extname(path)) || named.has(basename(path)) || Object.keys(attributes).length > 0) return undefined;
        return { contents: `throw new SyntaxError(${JSON.stringify(`${basename(path)} is not a module`)});`, loader: "js" };
      });
    },
  };
}
