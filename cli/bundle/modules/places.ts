import { existsSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";

/**
 * The paths of a source's files in the deployed code. They keep their places relative to each other, so that
 * `join(__dirname, "../views")` finds the same file there as here.
 */
export class Places {
  readonly #top: string;

  /**
   * `included`: files that the user names, which may be above the source's directory. `modules`: files that are
   * bundled; those of the same project may be above it too.
   */
  constructor(base: string, included: Iterable<string>, modules: Iterable<string>) {
    const project = projectOf(base);
    const related = [...modules].filter((file) => file.startsWith(project + sep));
    this.#top = [...included, ...related].filter((file) => !isInstalled(file)).reduce(commonDirectory, base);
  }

  /** The path in the deployed code, with forward slashes. It names no directory above the source's project. */
  of(file: string): string {
    const steps = relative(this.#top, file).split(sep);
    if (steps[0] !== "..") return steps.join("/");
    const installed = steps.indexOf("node_modules");
    return steps.filter((step, index) => step !== ".." && index >= installed).join("/");
  }
}

/** The place of a module that is bundled as an entry, with the extension that tells Node its format; undefined keeps the place. */
export function withExtension(path: string, extension: string | undefined): string {
  return extension === undefined ? path : path.replace(/(\.[cm]?[jt]sx?)?$/, extension);
}

/** Returns whether a file belongs to an installed package. */
export function isInstalled(file: string): boolean {
  return file.split(sep).includes("node_modules");
}

/** The outermost directory from `base` upwards that has a package.json; `base` itself if none has. */
function projectOf(base: string): string {
  let project = base;
  for (let dir = base; ; dir = dirname(dir)) {
    if (existsSync(join(dir, "package.json"))) project = dir;
    if (dirname(dir) === dir) return project;
  }
}

function commonDirectory(dir: string, file: string): string {
  let common = dir;
  while (!file.startsWith(common === sep ? sep : common + sep)) common = dirname(common);
  return common;
}
