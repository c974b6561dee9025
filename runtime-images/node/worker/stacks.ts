import { existsSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { MAP_SUFFIX } from "../../protocol/layer.ts";

/**
 * Has stack traces name the files and lines that the user wrote, where the module has a source map beside it. The map
 * is read when the first stack is asked for, so that loading costs nothing. Node's own source maps know neither
 * modules of node:vm nor compressed maps, and slow down every stack.
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

/** As V8 begins a stack. Node's own errors have a `toString` that tells their code, and Node begins theirs with that. */
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
