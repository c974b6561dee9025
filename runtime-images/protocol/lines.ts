import type { Readable } from "node:stream";

/** The longest line, in characters: a captured line has at most 8 KiB of text, and six times that as JSON. */
const MAX_LINE = 65_536;

/** Splits a stream into lines and cuts each at `MAX_LINE` characters: a function may print a line that never ends. */
export function eachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = (lines.pop() ?? "").slice(0, MAX_LINE);
    for (const line of lines) onLine(line.length > MAX_LINE ? line.slice(0, MAX_LINE) : line);
  });
  // The last line of a process may have no newline.
  stream.on("end", () => rest !== "" && onLine(rest));
  stream.on("error", () => {});
}
