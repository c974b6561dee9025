import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { CliError, EXIT } from "../errors.ts";

/** A function's code on the machine that deploys it. Both paths are absolute, with symbolic links resolved. */
export interface Source {
  /** The directory that patterns of `include` and names in stack traces are relative to. */
  base: string;
  entry: string;
}

const NAMES = ["index.ts", "index.tsx", "index.mts", "index.cts", "index.mjs", "index.js", "index.jsx", "index.cjs"];
const CANDIDATES = [...NAMES, ...NAMES.map((name) => `src/${name}`)];

/** Finds the entry module of a directory; a file is the entry itself. */
export function findSource(from: string): Source {
  const path = resolve(from);
  if (!existsSync(path)) throw new CliError("SOURCE_NOT_FOUND", `${path} does not exist`, "name a file or a directory with --from", EXIT.usage);
  if (statSync(path).isFile()) {
    const entry = realpathSync(path);
    return { base: dirname(entry), entry };
  }
  const base = realpathSync(path);
  const found = entryIn(base);
  if (!found) {
    throw new CliError(
      "SOURCE_NOT_FOUND",
      `${path} has no entry module`,
      `add one of ${NAMES.join(", ")}, there or in src, or name the file with --from`,
      EXIT.usage,
    );
  }
  return { base, entry: realpathSync(found) };
}

function entryIn(base: string): string | undefined {
  return [...mainOf(base), ...CANDIDATES].map((name) => join(base, name)).find(isFile);
}

/** Whether a directory has an entry module of JavaScript. */
export function hasEntry(dir: string): boolean {
  return entryIn(dir) !== undefined;
}

export interface PackageJson {
  main?: unknown;
  gypfile?: unknown;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
  scripts?: Record<string, string>;
}

/** A directory's package.json; empty if there is none. A byte order mark is accepted, as by npm. */
export function readPackage(dir: string): PackageJson {
  const path = join(dir, "package.json");
  if (!existsSync(path)) return {};
  try {
    return Object(JSON.parse(readFileSync(path, "utf8").replace(/^\uFEFF/, ""))) as PackageJson;
  } catch (error) {
    throw new CliError("BUNDLE_FAILED", `${path} could not be read: ${(error as Error).message}`, "correct this file", EXIT.usage);
  }
}

/** The names that Node tries for the field `main`. */
function mainOf(dir: string): string[] {
  const { main } = readPackage(dir);
  return typeof main === "string" ? [main, `${main}.js`, join(main, "index.js")] : [];
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
