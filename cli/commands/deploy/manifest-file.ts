import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import { CliError, EXIT } from "../../errors.ts";

/** The names of a manifest beside the code. */
const BESIDE = ["berth.yaml", "berth.yml"];

/** The content of a manifest. */
export interface ManifestFile {
  /** Settings in the form of the API. */
  settings: Record<string, unknown>;
  /** Patterns of files that are deployed beside the bundle. This field and those below are the command's own, not the API's. */
  include: string[];
  external: string[];
  /** The entry of a Python function. */
  entry: string | undefined;
}

/** Reads the manifest `file`, or the one beside the code that `from` names; empty if there is none. */
export function readManifest({ file, from }: { file?: string; from?: string }): ManifestFile {
  const path = file ?? manifestBeside(from);
  if (!path) return { settings: {}, include: [], external: [], entry: undefined };
  const { include, external, entry, ...settings } = readMapping(path);
  return { settings, include: listOf("include", include, path), external: listOf("external", external, path), entry: entryOf(entry, path) };
}

function manifestBeside(from: string | undefined): string | undefined {
  const stats = from === undefined ? undefined : statSync(from, { throwIfNoEntry: false });
  if (from === undefined || !stats) return undefined;
  const dir = stats.isDirectory() ? from : dirname(from);
  return BESIDE.map((name) => join(dir, name)).find((path) => existsSync(path));
}

function readMapping(path: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = parse(readFileSync(path, "utf8")) ?? {};
  } catch (error) {
    throw new CliError("MANIFEST_UNREADABLE", `${path}: ${(error as Error).message}`, "correct the manifest", EXIT.usage);
  }
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new CliError("MANIFEST_UNREADABLE", `${path}: a manifest is a mapping of fields`, "write one setting per line, such as timeout: 30s", EXIT.usage);
  }
  return content as Record<string, unknown>;
}

function listOf(field: string, value: unknown, path: string): string[] {
  const list = value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];
  if (list.every((item) => typeof item === "string")) return list as string[];
  throw new CliError("MANIFEST_UNREADABLE", `${path}: ${field} is not a list of texts`, `write ${field}: [a, b]`, EXIT.usage);
}

function entryOf(value: unknown, path: string): string | undefined {
  if (value === undefined || value === null || typeof value === "string") return value ?? undefined;
  throw new CliError("MANIFEST_UNREADABLE", `${path}: entry is not a text`, "write entry: FILE.py:ATTRIBUTE", EXIT.usage);
}
