import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { SourceMap } from "node:module";
import { dirname, extname, relative } from "node:path";
import { type BuildOptions, build, type Loader, type OnLoadResult, type Plugin } from "esbuild";
import { Decorators } from "./decorators.ts";
import type { NamedPackages } from "./named.ts";
import { isInstalled } from "./places.ts";
import { moduleName } from "./prelude.ts";
import { type BundledFiles, referencesIn } from "./references.ts";
import { type Required, requiredPlugin, requiresIn } from "./required.ts";

const MENTIONS = /\b(__dirname|__filename|import\.meta|require\.resolve)\b/;
/\b(__dirname|__filename|import\.meta|require\.resolve|process\.cwd|Worker|fork|readFileSync|readFile|createReadStream|static|serveStatic|serve|root|views)\b/;

/** A class that may get another name, so as not to shadow its variable. */
const NAMED_CLASS = /=\s*class\s+[\w$]/;

/**
 * Makes each bundled module know its own place. In a bundle, `__dirname`, `__filename` and `import.meta` would be those of
 * the bundle, or undefined. Here they are those of the module's place in the deployed code; names that the module declares
 * itself are left alone. Files that a module refers to relative to itself are recorded in `files`.
 */
export function modulesPlugin(base: string, { files, named, say }: { files: BundledFiles; named: NamedPackages; say: (text: string) => void }): Plugin {
  const nameOf = (path: string) => {
    const key = createHash("sha256").update(relative(base, path)).digest("hex").slice(0, 12);
    files.modules.set(moduleName(key), path);
    return moduleName(key);
  };
  const decorators = new Decorators(say);
  const required: Required = { wanted: new Map(), base };
  return {
    name: "berth-modules",
    setup(build) {
      requiredPlugin(required, build);
      const { onLoad } = build;
      onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: "file" }, async ({ path }) => {
        const written = await readFile(path, "utf8");
        named.note(path, written);
        const compiled = decorators.compile(path, written);
        if (compiled !== null) files.rewritten.set(path, inlineMapOf(compiled));
        const text = compiled ?? written;
        // A module with errors is left to the bundler itself, which reports them with their locations.
        const contents = (await placedIn(path, text).catch(() => null)) ?? compiled;
        return contents === null ? undefined : { contents, loader: /x$/.test(path) ? "jsx" : "js" };
      });
      // Both are deployed beside the bundle: inside it a module of some megabytes would be compiled at each start.
      onLoad({ filter: /\.node$/, namespace: "file" }, ({ path }) => beside(path, `require(${nameOf(path)}.filename)`));
      onLoad({ filter: /\.wasm$/, namespace: "file" }, ({ path }) =>
        beside(path, `new WebAssembly.Module(require("node:fs").readFileSync(${nameOf(path)}.filename))`),
      );
    },
  };

  /** Null: the module needs no place. */
  async function placedIn(path: string, text: string): Promise<string | null> {
    const mentions = MENTIONS.test(text);
    if (!mentions && isInstalled(path)) return null;
    const edited = requiresIn(path, await referencesIn(path, text, base, files), required);
    return mentions || edited !== text ? placed(path, edited, nameOf(path), files) : null;
  }

  function beside(path: string, value: string): OnLoadResult {
    files.assets.add(path);
    return { contents: `module.exports = ${value};`, loader: "js" };
  }
}

/** The module as JavaScript in which `name` replaces `import.meta`. esbuild recognizes names that the module declares itself. */
async function placed(path: string, text: string, name: string, files: BundledFiles): Promise<string> {
  const options: BuildOptions = {
    entryPoints: [path],
    outfile: `${path}.js`,
    write: false,
    target: "esnext",
    // Any other platform has NODE_ENV replaced by "development".
    platform: "node",
    jsx: "preserve",
    keepNames: NAMED_CLASS.test(text),
    sourcemap: "both",
    sourcesContent: false,
    logLevel: "silent",
    define: { "import.meta": name, __dirname: `${name}.dirname`, __filename: `${name}.filename`, "require.resolve": `${name}.resolveRequire` },
    plugins: [
      {
        name: "berth-text",
        setup({ onLoad }) {
          onLoad({ filter: /.*/ }, () => ({ contents: text, loader: extname(path).slice(1).replace(/^[cm]/, "") as Loader, resolveDir: dirname(path) }));
        },
      },
    ],
  };
  const { outputFiles = [] } = await build(options);
  const textOf = (file: string) => outputFiles.find((output) => output.path === file)?.text ?? "";
  files.rewritten.set(path, new SourceMap(JSON.parse(textOf(`${path}.js.map`))));
  return textOf(`${path}.js`);
}

function inlineMapOf(code: string): SourceMap {
  const encoded = code.slice(code.lastIndexOf("base64,") + "base64,".length).trim();
  return new SourceMap(JSON.parse(Buffer.from(encoded, "base64").toString()));
}
