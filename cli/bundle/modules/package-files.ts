import { join } from "node:path";
import { globSync } from "tinyglobby";
import { type PackageJson, readPackage } from "../source.ts";
import { type Externals, findPackage } from "./packages.ts";

/** What packages hold that no program reads when it runs: types, source maps, and sources of native parts. */
const UNUSED = ["**/node_modules/**", "**/.git/**", "**/*.d.{ts,mts,cts}", "**/*.map", "**/*.{c,cc,cpp,h,hpp,o,a,gyp,gypi}"];

/** The files of packages and of all that they depend on, by their paths in the deployed code. */
export function packageFiles(externals: Externals): Map<string, string> {
  const files = new Map<string, string>();
  for (const [place, dir] of placePackages(externals)) {
    for (const file of globSync("**", { cwd: dir, dot: true, ignore: UNUSED })) files.set(`${place}/${file}`, join(dir, file));
  }
  return files;
}

/**
 * The directories of packages and of all that they depend on, by their places. Each package finds there the versions
 * that it finds here: one that others see in another version lies in its own `node_modules`.
 */
function placePackages(externals: Externals): Map<string, string> {
  const placed = new Map([...externals].map(([name, dir]) => [`node_modules/${name}`, dir]));
  // Places that are added meanwhile are visited too. A package's own dependencies are all placed before any of theirs.
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

/** What a package needs when it runs; of peers those that it cannot do without. */
function dependenciesOf({ dependencies, optionalDependencies, peerDependencies = {}, peerDependenciesMeta = {} }: PackageJson): string[] {
  const peers = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
  return [...new Set([...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers])];
}

/** Where Node looks for a package from inside another, the nearest first. */
function placesSeenFrom(place: string, name: string): string[] {
  const steps = place.split("/node_modules/");
  const nested = steps.map((_, index) => `${steps.slice(0, steps.length - index).join("/node_modules/")}/node_modules/${name}`);
  return [...nested, `node_modules/${name}`];
}
