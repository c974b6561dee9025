import type { SourceMapPayload } from "node:module";
import { dirname, join, resolve } from "node:path";
import { type BuildOptions, build, type Loader, type Message, type Plugin } from "esbuild";
import { findAsNode, globbedPlugin } from "./modules/globbed.ts";
import { type Format, PLACEHOLDER } from "./modules/prelude.ts";

/** A module and all that it imports, as one file that begins with `PLACEHOLDER`. */
export interface Compiled {
  code: string;
  /** Its source map; sources are absolute paths. */
  map: SourceMapPayload;
  warnings: Message[];
}

const TEXT = "txt html htm sql md markdown graphql gql csv tsv xml svg yaml yml toml pem crt ejs hbs mustache".split(" ");
const LOADERS: Record<string, Loader> = { ...Object.fromEntries(TEXT.map((extension) => [`.${extension}`, "text" as const])), ".bin": "binary" };

/** Bundles with esbuild. Names in its messages are relative to `base`. Throws esbuild's `BuildFailure`. */
export async function compile(entry: string, format: Format, base: string, plugins: Plugin[]): Promise<Compiled> {
  const outfile = join(base, "bundle.js");
  const options: BuildOptions = {
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    target: "node20",
    absWorkingDir: base,
    outfile,
    write: false,
    logLevel: "silent",
    legalComments: "none",
    // Without it a class that mentions itself would be named `_Name`, and one of two of the same name `Name2`.
    keepNames: true,
    sourcemap: "external",
    sourcesContent: false,
    loader: LOADERS,
    plugins: [globbedPlugin(Object.keys(LOADERS)), ...plugins],
    banner: { js: PLACEHOLDER },
    format,
  };
  const { outputFiles = [], warnings } = await build(options);
  const textOf = (path: string) => outputFiles.find((file) => file.path === path)?.text ?? "";
  const map = JSON.parse(textOf(`${outfile}.map`)) as SourceMapPayload;
  map.sources = map.sources.map((source) => resolve(dirname(outfile), source));
  return { code: findAsNode(textOf(outfile)), map, warnings };
}
