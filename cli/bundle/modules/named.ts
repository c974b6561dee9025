import { existsSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { readPackage } from "../source.ts";
import { type Externals, findPackage } from "./packages.ts";
import { isInstalled } from "./places.ts";

const COMPUTED = /\b(?:require|import)\(\s*[A-Za-z_$]/;

/**
 * Packages that the project depends on and that modules name in strings, as Express does for view engines, pino for
 * transports and TypeORM for drivers: such modules import them by computed names, which the bundler cannot follow.
 */
export class NamedPackages {
  readonly #base: string;
  readonly #pattern: RegExp | null;
  readonly #named = new Set<string>();

  constructor(base: string) {
    this.#base = base;
    const names = dependenciesAbove(base).map((name) => name.replaceAll(".", "\\."));
    this.#pattern = names.length > 0 ? new RegExp(`(?<!\\bfrom\\s*)(["'\`])(${names.join("|")})\\1`, "g") : null;
  }

  /** Notes the packages that a module names. In a package such a string is another word, unless the module imports by computed names. */
  note(path: string, text: string): void {
    if (isInstalled(path) && !COMPUTED.test(text)) return;
    if (this.#pattern) for (const [, , name] of text.matchAll(this.#pattern)) this.#named.add(name as string);
  }

  /** Adds those that no module was bundled of. `sources`: the paths of bundled modules. */
  addTo(externals: Externals, sources: readonly string[], say: (text: string) => void): void {
    for (const name of [...this.#named].sort()) {
      const dir = findPackage(name, this.#base);
      if (dir === undefined || externals.has(name) || sources.some((source) => source.startsWith(dir + sep))) continue;
      externals.set(name, dir);
      say(`${name} is named in a string and not imported: it is deployed as a package of its own, with its dependencies`);
    }
  }
}

/** The `dependencies` of each package.json from a directory upwards. */
function dependenciesAbove(base: string): string[] {
  const names = new Set<string>();
  for (let dir = base; ; dir = dirname(dir)) {
    if (existsSync(join(dir, "package.json"))) for (const name of Object.keys(readPackage(dir).dependencies ?? {})) names.add(name);
    if (dirname(dir) === dir) return [...names];
  }
}
