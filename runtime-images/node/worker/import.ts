import { isAscii } from "node:buffer";
import { existsSync, readFileSync } from "node:fs";
import { createRequire, isBuiltin, Module } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import vm from "node:vm";
import { CACHE_SUFFIX } from "../../protocol/layer.ts";

/**
 * Imports a function's module. A bundle is one file: it is read and compiled directly, which saves the
 * loader's asynchronous rounds. With a code cache beside it V8 need not parse it, which takes most of the
 * load time of a large bundle. Any other module is imported normally.
 */
export async function importModule(file: string): Promise<Record<string, unknown>> {
  const cache = existsSync(file + CACHE_SUFFIX) ? readFileSync(file + CACHE_SUFFIX) : undefined;
  const direct = file.endsWith(".mjs") ? await singleModule(file, cache) : cache && cachedScript(file, cache);
  return direct ?? import(pathToFileURL(file).href);
}

function cachedScript(file: string, cachedData: Buffer): Record<string, unknown> | null {
  const script = new vm.Script(Module.wrap(readSource(file)), {
    filename: file,
    cachedData,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  if (script.cachedDataRejected) return null;
  const module = { exports: {} as Record<string, unknown> };
  const run = script.runInThisContext() as (...args: unknown[]) => void;
  run.call(module.exports, module.exports, createRequire(file), module, file, dirname(file));
  return { default: module.exports };
}

/** Imports a module without dependencies; null: V8 rejects the cache or the source, or linking fails (a normal import gives the best error), or the module imports more than Node's own modules. */
async function singleModule(file: string, cachedData: Buffer | undefined): Promise<Record<string, unknown> | null> {
  const { href } = pathToFileURL(file);
  let module: vm.SourceTextModule;
  try {
    module = new vm.SourceTextModule(readSource(file), {
      identifier: href,
      cachedData,
      importModuleDynamically: (specifier, _module, attributes) => importFrom(file, specifier, { with: attributes }),
      initializeImportMeta: (meta) =>
        Object.assign(meta, { url: href, filename: fileURLToPath(href), dirname: dirname(file), resolve: (specifier: string) => resolveFrom(file, specifier) }),
    });
    if (!module.dependencySpecifiers.every((specifier) => isBuiltin(specifier))) return null;
    await module.link(builtin);
  } catch {
    return null;
  }
  await module.evaluate();
  return module.namespace as Record<string, unknown>;
}

async function builtin(specifier: string): Promise<vm.Module> {
  const namespace = (await import(specifier)) as Record<string, unknown>;
  const names = Object.keys(namespace);
  return new vm.SyntheticModule(names, function () {
    for (const name of names) this.setExport(name, namespace[name]);
  });
}

/** Runs `import()` as in `file`: a script with that file name resolves specifiers relative to it. */
function importFrom(file: string, specifier: string, options: object): Promise<vm.Module> {
  const script = new vm.Script("(specifier, options) => import(specifier, options)", {
    filename: file,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  return (script.runInThisContext() as (specifier: string, options: object) => Promise<vm.Module>)(specifier, options);
}

/** Implements `import.meta.resolve`; a package with different files for `import` and `require` resolves to the latter. */
function resolveFrom(file: string, specifier: string): string {
  if (/^\.{0,2}\/|^[a-z][a-z0-9+.-]*:/i.test(specifier)) return new URL(specifier, pathToFileURL(file)).href;
  return isBuiltin(specifier) ? `node:${specifier}` : pathToFileURL(createRequire(file).resolve(specifier)).href;
}

/** Reads a source. Most bundles are ASCII, and decoding UTF-8 takes twice as long as copying. */
function readSource(file: string): string {
  const bytes = readFileSync(file);
  return isAscii(bytes) ? bytes.toString("latin1") : bytes.toString("utf8");
}

/** The V8 code cache of a module, which is written beside it at deployment. */
export function compileCache(file: string): Buffer {
  const source = readSource(file);
  if (file.endsWith(".cjs")) return new vm.Script(Module.wrap(source), { filename: file }).createCachedData();
  const module = new vm.SourceTextModule(source, { identifier: pathToFileURL(file).href });
  // Documented since Node 12.17, but missing in the types.
  return (module as vm.SourceTextModule & { createCachedData(): Buffer }).createCachedData();
}
