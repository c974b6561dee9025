import { build } from "esbuild";
import type { Format } from "./modules/prelude.ts";

/**
 * The format of a module, by its syntax and, as in Node, by its extension and package.json. A module that cannot be read
 * counts as an ES module: bundling it reports why.
 */
export function formatOf(path: string): Promise<Format> {
  return readFormat(path).catch(() => "esm");
}

async function readFormat(path: string): Promise<Format> {
  const { metafile } = await build({
    entryPoints: [path],
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    target: "esnext",
    logLevel: "silent",
    plugins: [
      {
        name: "berth-alone",
        setup({ onResolve }) {
          onResolve({ filter: /.*/ }, ({ kind }) => (kind === "entry-point" ? undefined : { external: true }));
        },
      },
    ],
  });
  return Object.values(metafile.inputs)[0]?.format === "cjs" ? "cjs" : "esm";
}
