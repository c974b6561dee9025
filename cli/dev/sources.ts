import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { readManifest } from "../commands/deploy/manifest-file.ts";
import { runtimeOfFiles } from "../commands/deploy/runtime-of-files.ts";
import { CliError, EXIT } from "../errors.ts";

export interface DevSource {
  name: string;
  base: string;
  from: string;
}

/** The functions below these paths. A directory without an entry module stands for the functions in its own directories. */
export function devSources(paths: readonly string[], name: string | undefined): DevSource[] {
  const sources = paths.flatMap((path) => sourcesOf(path));
  const [first] = sources;
  if (name !== undefined && first && sources.length === 1) first.name = name;
  if (name !== undefined && sources.length > 1)
    throw new CliError(
      "NAME_TAKEN",
      `--name is for one function, and there are ${sources.length}`,
      "leave it out: functions are named after their directories",
      EXIT.usage,
    );
  const twice = sources.find((source, at) => sources.findIndex((other) => other.name === source.name) !== at);
  if (twice)
    throw new CliError("NAME_TAKEN", `two functions would be named ${twice.name}`, "rename a directory, or run berth dev for each with --name", EXIT.usage);
  return sources;
}

function sourcesOf(path: string): DevSource[] {
  const given = resolve(path);
  if (!existsSync(given)) throw new CliError("SOURCE_NOT_FOUND", `${given} does not exist`, "name a file or a directory", EXIT.usage);
  const from = realpathSync(given);
  if (statSync(from).isFile())
    return [{ name: nameOf(basename(from, extname(from)) === "index" ? basename(dirname(from)) : basename(from, extname(from))), base: dirname(from), from }];
  if (isFunction(from)) return [functionIn(from)];
  const within = readdirSync(from, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules" && isFunction(join(from, entry.name)))
    .map((entry) => functionIn(join(from, entry.name)));
  if (within.length > 0) return within;
  const fix = "add one such as index.ts or main.py, or have berth init write a first one";
  throw new CliError("SOURCE_NOT_FOUND", `${from} has no entry module, and none of its directories has one`, fix, EXIT.usage);
}

function isFunction(dir: string): boolean {
  if (runtimeOfFiles(dir) !== null) return true;
  const { entry, settings } = readManifest({ from: dir });
  return entry !== undefined || settings.command !== undefined;
}

function functionIn(dir: string): DevSource {
  return { name: nameOf(basename(dir)), base: dir, from: dir };
}

/** A name that functions may have. */
function nameOf(text: string): string {
  const name = text.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return name.slice(0, 63).replaceAll(/^-+|-+$/g, "") || "function";
}
