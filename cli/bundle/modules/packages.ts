import { existsSync, realpathSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, join } from "node:path";
import type { OnResolveArgs, Plugin } from "esbuild";
import { CliError, EXIT } from "../../errors.ts";
import { type PackageJson, readPackage } from "../source.ts";

/** Packages that build or load the native part of the package that depends on them. */
const NATIVE_HELPERS = ["node-gyp-build", "node-gyp-build-optional-packages", "bindings", "prebuild-install", "node-pre-gyp", "@mapbox/node-pre-gyp"];
const NATIVE_INSTALL = /\b(node-gyp|node-pre-gyp|prebuild|cmake-js)\b/;
/** The names of packages that are a native part for one platform, such as @img/sharp-linux-x64. */
const PLATFORM_PACKAGE = /\b(linux|darwin|win32)-(x64|arm64)/;

/** Packages that are deployed beside the bundle, by name: the directory of each. */
export type Externals = Map<string, string>;

/** Kinds of imports that a package makes when it needs them, and may be able to do without. */
const LATE_IMPORTS = new Set<string>(["require-call", "require-resolve", "dynamic-import"]);

/**
 * Leaves packages out of the bundle: those whose names match `patterns` (`*` matches anything), native ones, which a bundle
 * cannot contain, and missing ones that another package imports late, since it may work without them. The directories of
 * installed ones are recorded in `found`; `say` receives a message about each native one, and about each missing one that the
 * package importing it does not declare optional.
 */
export function packagesPlugin(patterns: readonly string[], found: Externals, say: (text: string) => void): Plugin {
  const expressions = patterns.map((pattern) => new RegExp(`^${pattern.split("*").map(literally).join(".*")}$`));
  const isExternal = (name: string, resolveDir: string): boolean => {
    if (found.has(name)) return true;
    const dir = findPackage(name, resolveDir);
    const isNamed = expressions.some((expression) => expression.test(name));
    const native = !isNamed && dir !== undefined && isNative(readPackage(dir), existsSync(join(dir, "binding.gyp")));
    if (dir && (isNamed || native)) found.set(name, dir);
    if (native) say(`${name} is native: it is deployed as a package of its own, with its dependencies`);
    return isNamed || native;
  };
  const missing = new Set<string>();
  const isMissing = (name: string, { kind, importer, resolveDir }: OnResolveArgs): boolean => {
    const importing = LATE_IMPORTS.has(kind) ? packageOf(importer) : undefined;
    if (importing === undefined || findPackage(name, resolveDir) !== undefined) return false;
    const isExpected = isOptional(readPackage(findPackage(importing, resolveDir) ?? resolveDir), name);
    if (!isExpected && !missing.has(name)) say(`warning: ${importing} imports ${name}, which is not installed: the import will fail when it runs`);
    missing.add(name);
    return true;
  };
  return {
    name: "berth-packages",
    setup({ onResolve }) {
      onResolve({ filter: /^[^./]/ }, (args) => {
        const { path, resolveDir, kind } = args;
        const name = kind === "entry-point" || isBuiltin(path) || path.startsWith("node:") ? undefined : packageName(path);
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
    else say(`warning: ${name} is external and not installed: the function's import of it will fail`);
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

/** Whether a package declares that it can do without another one. */
function isOptional({ optionalDependencies = {}, peerDependenciesMeta = {} }: PackageJson, name: string): boolean {
  return Object.hasOwn(optionalDependencies, name) || (Object.hasOwn(peerDependenciesMeta, name) && peerDependenciesMeta[name]?.optional === true);
}

/** The directory of a package as Node finds it from `dir`, with symbolic links resolved. */
export function findPackage(name: string, dir: string): string | undefined {
  for (let at = dir; ; at = dirname(at)) {
    const path = join(at, "node_modules", name);
    if (basename(at) !== "node_modules" && existsSync(path)) return realpathSync(path);
    if (dirname(at) === at) return undefined;
  }
}

/** The name of the installed package that a file belongs to; undefined: it belongs to none. */
function packageOf(file: string): string | undefined {
  const [, name] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file.replaceAll("\\", "/")) ?? [];
  return name;
}

/** The package that an import names; undefined if it names none. */
export function packageName(specifier: string): string | undefined {
  return /^(@[^/]+\/)?[^@./][^/]*/.exec(specifier)?.[0];
}

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
