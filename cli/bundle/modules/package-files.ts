import { join } from "node:path";
import { globSync } from "tinyglobby";
import { type PackageJson, readPackage } from "../source.ts";
import { type Externals, findPackage } from "./packages.ts";

/** Files of packages that no program reads at run time: types, source maps, and sources of native parts. */
const UNUSED = ["**/node_modules/**", "**/.git/**", "**/*.d.{ts,mts,cts}", "**/*.map", "**/*.{c,cc,cpp,h,hpp,o,a,gyp,gypi}"];

/** The files of packages and of their dependencies, by their paths in the deployed code. */
export function packageFiles(externals: Externals): Map<string, string> {
  const files = new Map<string, string>();
  for (const [place, dir] of placePackages(externals)) {
    for (const file of globSync("**", { cwd: dir, dot: true, ignore: UNUSED })) files.set(`${place}/${file}`, join(dir, file));
  }
  return files;
}

/**
 * The directories of packages and of their dependencies, by their places in the deployed code. Each package finds the same
 * versions there as here: a dependency of which others see another version is placed in the package's own `node_modules`.
 */
function placePackages(externals: Externals): Map<string, string> {
  const placed = new Map([...externals].map(([name, dir]) => [`node_modules/${name}`, dir]));
  // The loop visits places that it adds, too. All dependencies of a package are placed before any of theirs.
  for (const [place, dir] of placed) {
    for (const name of dependenciesOf(readPackage(dir))) {
      const dependency = findPackage(name, dir);
      const seen = placesSeenFrom(place, name).find((path) => placed.has(path));
      if (dependency === undefined || (seen && placed.get(seen) === dependency)) continue;
      placed.set(seen ? `${place}/node_modules/${name}` : `node_modules/${name}`, dependency);
    }
  }
  return placed;
}

/** The run-time dependencies of a package, with those peers that are not optional. */
function dependenciesOf({ dependencies, optionalDependencies, peerDependencies = {}, peerDependenciesMeta = {} }: PackageJson): string[] {
  const peers = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
  return [...new Set([...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers])];
}

/** The places in which Node searches for a package from inside another, nearest first. */
function placesSeenFrom(place: string, name: string): string[] {
  const steps = place.split("/node_modules/");
  const nested = steps.map((_, index) => `${steps.slice(0, steps.length - index).join("/node_modules/")}/node_modules/${name}`);
  return [...nested, `node_modules/${name}`];
}
