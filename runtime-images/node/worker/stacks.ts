import { existsSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { MAP_SUFFIX } from "../../protocol/layer.ts";

/**
 * Maps stack traces to the files and lines that the user wrote, if the module has a source map beside it. The map is read
 * at the first stack trace, so that loading costs nothing. Node's own source maps support neither modules of node:vm nor
 * compressed maps, and slow down every stack trace.
 */
export function mapStacks(file: string): void {
  if (!existsSync(file + MAP_SUFFIX)) return;
  const names = new Set([file, pathToFileURL(file).href]);
  let map: SourceMap | null | undefined;
  Error.prepareStackTrace = (error, frames) => {
    if (map === undefined) map = readMap(file + MAP_SUFFIX);
    return [headOf(error), ...frames.map((frame) => `    at ${describe(frame, names, map ?? null)}`)].join("\n");
  };
}

function readMap(path: string): SourceMap | null {
  try {
    return new SourceMap(JSON.parse(gunzipSync(readFileSync(path)).toString("utf8")));
  } catch {
    return null;
  }
}

/** The first line of a stack trace, as V8 writes it. For its own errors Node uses their `toString`, which includes the error code. */
function headOf(error: Error & { code?: unknown }): string {
  try {
    const isNodes = typeof error.code === "string" && error.code.startsWith("ERR_");
    return isNodes ? String(error) : Error.prototype.toString.call(error);
  } catch {
    return "Error";
  }
}

function describe(frame: NodeJS.CallSite, names: ReadonlySet<string>, map: SourceMap | null): string {
  const text = String(frame);
  const [name, line, column] = [frame.getFileName(), frame.getLineNumber(), frame.getColumnNumber()];
  if (!map || !name || !line || !column || !names.has(name)) return text;
  const origin = map.findEntry(line - 1, column - 1);
  if (!("originalSource" in origin) || !origin.originalSource) return text;
  return text.replace(`${name}:${line}:${column}`, () => `${origin.originalSource}:${origin.originalLine + 1}:${origin.originalColumn + 1}`);
}
