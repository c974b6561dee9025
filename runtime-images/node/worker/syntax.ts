import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import vm from "node:vm";

/** How long a check in a new process may take; it usually takes some ten milliseconds. */
const CHECK_TIMEOUT_MS = 5000;

/**
 * Adds file and line to a syntax error of an ES module. V8 reports them only if the error ends a process, so this finds
 * the file among those that `entry` imports, and checks it in a new process.
 */
export async function locateSyntaxError(error: unknown, entry: string): Promise<unknown> {
  if (!(error instanceof SyntaxError) || error.stack?.includes(dirname(entry))) return error;
  const file = brokenModule(entry, error.message, new Set());
  if (!file) return error;
  const report = await check(file);
  const end = report.indexOf("\n\nSyntaxError");
  const place = end < 0 ? file : report.slice(0, end);
  error.stack = `${place.replaceAll(pathToFileURL(file).href, file).replaceAll(file, relative(dirname(entry), file))}\n\n${error.stack}`;
  return error;
}

/** The first module that fails to parse with this message, among `file` and its imports by relative paths. */
function brokenModule(file: string, message: string, seen: Set<string>): string | undefined {
  if (seen.has(file) || !existsSync(file)) return undefined;
  seen.add(file);
  const { href } = pathToFileURL(file);
  try {
    const { dependencySpecifiers } = new vm.SourceTextModule(readFileSync(file, "utf8"), { identifier: href });
    for (const specifier of dependencySpecifiers) {
      const found = specifier.startsWith(".") && brokenModule(fileURLToPath(new URL(specifier, href)), message, seen);
      if (found) return found;
    }
  } catch (error) {
    return (error as Error).message === message ? file : undefined;
  }
  return undefined;
}

function check(file: string): Promise<string> {
  const options = { timeout: CHECK_TIMEOUT_MS, killSignal: "SIGKILL", env: {} } as const;
  return new Promise((resolve) => execFile(process.execPath, ["--check", file], options, (_error, _stdout, stderr) => resolve(stderr)));
}
