import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, posix, relative, resolve, sep } from "node:path";
import { CliError, EXIT } from "../../errors.ts";
import { isDirectory, isFile } from "../source.ts";

/** A Python function's code on the machine that deploys it. */
export interface PythonSource {
  /** Absolute path of the directory that is deployed. */
  base: string;
  /** The module that is loaded, relative to it, with forward slashes. */
  entry: string;
  /** The attribute that handles invocations; undefined: found by signature. */
  handler: string | undefined;
}

const NAMES = ["main.py", "app.py", "function.py", "lambda_function.py", "index.py", "asgi.py", "wsgi.py"];

/** Whether code is Python by its files. */
export function looksLikePython(from: string): boolean {
  const path = resolve(from);
  if (path.endsWith(".py")) return isFile(path);
  return isDirectory(path) && [...NAMES, "requirements.txt", "pyproject.toml"].some((name) => isFile(join(path, name)));
}

/** Finds the entry of a directory, or of a file alone. `given`: `FILE` or `FILE:ATTRIBUTE`, relative to the directory. */
export function findPythonSource(from: string, given?: string): PythonSource {
  const path = resolve(from);
  if (!existsSync(path)) throw new CliError("SOURCE_NOT_FOUND", `${path} does not exist`, "name a file or a directory with --from", EXIT.usage);
  const base = realpathSync(isDirectory(path) ? path : dirname(path));
  const [file, handler] = given === undefined ? [undefined, undefined] : partsOf(given);
  if (file !== undefined) return { base, entry: entryBelow(base, file), handler };
  if (!isDirectory(path)) return { base, entry: basename(path), handler };
  const found = NAMES.find((name) => isFile(join(base, name)));
  if (!found) {
    throw new CliError(
      "SOURCE_NOT_FOUND",
      `${path} has no entry module`,
      `add one of ${NAMES.join(", ")}, or name it with --entry FILE.py:ATTRIBUTE`,
      EXIT.usage,
    );
  }
  return { base, entry: found, handler };
}

function partsOf(given: string): [string, string | undefined] {
  const at = given.lastIndexOf(":");
  return at < 0 ? [given, undefined] : [given.slice(0, at), given.slice(at + 1)];
}

function entryBelow(base: string, file: string): string {
  const path = resolve(base, file);
  const entry = relative(base, path).split(sep).join(posix.sep);
  if (isFile(path) && path.endsWith(".py") && !entry.startsWith("..")) return entry;
  throw new CliError("SOURCE_NOT_FOUND", `--entry: ${file} is not a Python file below ${base}`, "name it as FILE.py or FILE.py:ATTRIBUTE", EXIT.usage);
}
