import { existsSync, realpathSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, join } from "node:path";
import type { OnResolveArgs, Plugin } from "esbuild";
import { CliError, EXIT } from "../../errors.ts";
import { type PackageJson, readPackage } from "../source.ts";

/** Packages that find their native part beside themselves when they are loaded. */
const NATIVE_HELPERS = ["node-gyp-build", "node-gyp-build-optional-packages", "bindings", "prebuild-install", "node-pre-gyp", "@mapbox/node-pre-gyp"];
const NATIVE_INSTALL = /\b(node-gyp|node-pre-gyp|prebuild|cmake-js)\b/;
/** Native parts as packages of their own, such as @img/sharp-linux-x64. */
const PLATFORM_PACKAGE = /\b(linux|darwin|win32)-(x64|arm64)/;

/** Packages that are deployed beside the bundle, by name: the directory of each. */
export type Externals = Map<string, string>;

/** Imports that a package may make only where it needs them, and without which it may go on. */
const LATE_IMPORTS = new Set<string>(["require-call", "require-resolve", "dynamic-import"]);

/**
 * Leaves packages out of the bundle: those whose names match `patterns` (`*` stands for anything), native ones, which a
 * bundle cannot hold, and those that are not installed where another package asks for them late: it may be able to do
 * without. Where they are installed is noted in `found`; `say` is told of native and missing ones.
 */
export function packagesPlugin(patterns: readonly string[], found: Externals, say: (text: string) => void): Plugin {
  const expressions = patterns.map((pattern) => new RegExp(`^${pattern.split("*").map(literally).join(".*")}$`));
  const isExternal = (name: string, resolveDir: string): boolean => {
    if (found.has(name)) return true;
    const dir = findPackage(name, resolveDir);
    const isNamed = expressions.some((expression) => expression.test(name));
    const native = !isNamed && dir !== undefined && isNative(readPackage(dir), existsSync(join(dir, "binding.gyp")));
    if (dir && (isNamed || native)) found.set(name, dir);
    if (native) say(`${name} is native: it is deployed as a package of its own, with what it depends on`);
    return isNamed || native;
  };
  const missing = new Set<string>();
  const isMissing = (name: string, { kind, importer, resolveDir }: OnResolveArgs): boolean => {
    const asker = LATE_IMPORTS.has(kind) ? askingPackage(importer) : undefined;
    if (asker === undefined || findPackage(name, resolveDir) !== undefined) return false;
    if (!missing.has(name)) say(`warning: ${asker} asks for ${name}, which is not installed: it gets an error where it does`);
    missing.add(name);
    return true;
  };
  return {
    name: "berth-packages",
    setup({ onResolve }) {
      onResolve({ filter: /^[^./]/ }, (args) => {
        const { path, resolveDir, kind } = args;
        const name = kind === "entry-point" || isBuiltin(path) ? undefined : packageName(path);
        return name !== undefined && (isExternal(name, resolveDir) || isMissing(name, args)) ? { path, external: true } : undefined;
      });
    },
  };
}

/** Finds the packages that are named in full, imported or not. */
export function namedPackages(names: readonly string[], base: string, say: (text: string) => void): Externals {
  const found: Externals = new Map();
  for (const name of names) {
    if (packageName(name) !== name) {
      throw new CliError(
        "BUNDLE_FAILED",
        `external: ${JSON.stringify(name)} is not the name of a package`,
        "name packages; for files there is include",
        EXIT.usage,
      );
    }
    if (name.includes("*")) continue;
    const dir = findPackage(name, base);
    if (dir) found.set(name, dir);
    else say(`warning: ${name} is external and not installed: the function gets an error where it imports it`);
  }
  return found;
}

export function isNative({ dependencies = {}, optionalDependencies = {}, scripts = {}, gypfile }: PackageJson, hasBinding: boolean): boolean {
  return (
    hasBinding ||
    gypfile === true ||
    NATIVE_HELPERS.some((name) => Object.hasOwn(dependencies, name)) ||
    Object.keys(optionalDependencies).some((name) => PLATFORM_PACKAGE.test(name)) ||
    NATIVE_INSTALL.test(scripts.install ?? "")
  );
}

/** The directory of a package as Node finds it from `dir`, links followed. */
export function findPackage(name: string, dir: string): string | undefined {
  for (let at = dir; ; at = dirname(at)) {
    const path = join(at, "node_modules", name);
    if (basename(at) !== "node_modules" && existsSync(path)) return realpathSync(path);
    if (dirname(at) === at) return undefined;
  }
}

/** The name of the package that a file of a package belongs to. */
function askingPackage(file: string): string | undefined {
  const [, name] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file.replaceAll("\\", "/")) ?? [];
  return name;
}

/** The package that an import names; undefined where it names none. */
export function packageName(specifier: string): string | undefined {
  return /^(@[^/]+\/)?[^@./][^/]*/.exec(specifier)?.[0];
}

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
