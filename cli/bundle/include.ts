import { realpathSync } from "node:fs";
import { globSync } from "tinyglobby";
import { CliError, EXIT } from "../errors.ts";

/**
 * The files that match `patterns`, as absolute paths. Patterns are relative to `base`; `!` excludes files; a directory
 * stands for all files below it. Installed packages are left out unless a pattern names `node_modules`.
 */
export function includedFiles(patterns: readonly string[], base: string): string[] {
  const without = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
  const files = new Set<string>();
  for (const pattern of patterns) {
    if (pattern.startsWith("!")) continue;
    const ignore = pattern.includes("node_modules") ? without : [...without, "**/node_modules/**"];
    const found = globSync(pattern, { cwd: base, absolute: true, ignore });
    if (found.length === 0) {
      throw new CliError("BUNDLE_FAILED", `include: ${JSON.stringify(pattern)} matches no file below ${base}`, "correct the pattern, or remove it", EXIT.usage);
    }
    for (const file of found) files.add(file).add(realpathSync(file));
  }
  return [...files];
}

/** The files below a directory, but for installed packages and those whose names begin with a dot. */
export function filesBelow(dir: string): string[] {
  return globSync("**", { cwd: dir, absolute: true, ignore: "**/node_modules/**" });
}
