import type { Readable } from "node:stream";

/** A captured line is at most 8 KiB of text, six times that in JSON. */
const MAX_LINE = 65_536;

/** Splits a stream into lines of at most `MAX_LINE` characters: a function may print one without an end. */
export function eachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = (lines.pop() ?? "").slice(0, MAX_LINE);
    for (const line of lines) onLine(line.length > MAX_LINE ? line.slice(0, MAX_LINE) : line);
  });
  // The last words of a process may have no end of line.
  stream.on("end", () => rest !== "" && onLine(rest));
  stream.on("error", () => {});
}
