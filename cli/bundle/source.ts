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
/** The longest start command that a message quotes. */
const MAX_COMMAND = 100;
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
    const program = programIn(base);
    const asProgram = program ? `; a program that listens on $PORT itself is deployed with --runtime custom --command ${JSON.stringify(program)}` : "";
    const fix = `add one of ${NAMES.join(", ")}, there or in src, or name the file with --from${asProgram}`;
    throw new CliError("SOURCE_NOT_FOUND", `${path} has no entry module`, fix, EXIT.usage);
  }
  return { base, entry: realpathSync(found) };
}

function entryIn(base: string): string | undefined {
  return [...mainOf(base), ...CANDIDATES].map((name) => join(base, name)).find(isFile);
}

/** The command that starts a directory's own server, as Next.js and others build one; undefined: there seems to be none. */
function programIn(base: string): string | undefined {
  const start = Object(readPackage(base).scripts).start as unknown;
  if (typeof start === "string" && start.length <= MAX_COMMAND) return start;
  return ["server.js", "server.mjs"].map((name) => (isFile(join(base, name)) ? `node ${name}` : undefined)).find(Boolean);
}

/** Whether this is a directory with an entry module of JavaScript. */
export function hasEntry(path: string): boolean {
  return isDirectory(path) && entryIn(path) !== undefined;
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

export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
