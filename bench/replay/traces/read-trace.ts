import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { ReplayError } from "../replay-error.ts";
import { type Trace, TraceBuilder } from "../trace.ts";
import { FORMATS, type Format } from "./formats.ts";

/** Invocations of a trace: more take more memory than a small machine has. */
const MOST = 20_000_000;
/** Broken lines that are described; further ones are counted. */
const DESCRIBED = 20;

export interface ReadOptions {
  /** Only the first functions that the files name; infinity: all. */
  functions: number;
  /** Duration of invocations whose format has none. */
  durationMs: number;
}

/** A trace, and the lines that were left out of it. */
export interface ReadTrace {
  trace: Trace;
  formats: string[];
  /** Number of broken lines, and a sentence for each of the first. */
  broken: { count: number; described: string[] };
}

/**
 * Reads a trace from one or more files, which follow one another if their format has a fixed length, and are merged otherwise.
 * Broken lines are left out and described. Throws `TRACE_UNREADABLE` and `TRACE_INVALID`.
 */
export async function readTrace(files: readonly string[], options: ReadOptions): Promise<ReadTrace> {
  const trace = new TraceBuilder(options.functions);
  const broken = { count: 0, described: [] as string[] };
  const formats = new Set<string>();
  let fromMs = 0;
  for (const file of files) {
    const format = await readFile(file, { trace, fromMs, durationMs: options.durationMs }, (line, wrong) => {
      broken.count += 1;
      if (broken.described.length < DESCRIBED) broken.described.push(`${file}:${line}: ${wrong}`);
    });
    formats.add(format.name);
    fromMs += format.lengthMs ?? 0;
  }
  if (trace.count === 0) throw new ReplayError("TRACE_INVALID", `${files.join(", ")}: no invocation in it can be used`, "see the formats in CONTRIBUTING.md");
  return { trace: trace.build(fromMs > 0 ? fromMs : undefined), formats: [...formats], broken };
}

interface Target {
  trace: TraceBuilder;
  fromMs: number;
  durationMs: number;
}

async function readFile(file: string, into: Target, onBroken: (line: number, wrong: string) => void): Promise<Format> {
  let format: Format | null = null;
  let line = 0;
  try {
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      line += 1;
      if (text.trim() === "") continue;
      if (!format) {
        format = formatOf(file, text);
        continue;
      }
      const wrong = format.read(text.split(","), into);
      if (wrong !== null) onBroken(line, wrong);
      if (into.trace.count > MOST)
        throw new ReplayError("TRACE_INVALID", `${file}:${line}: it has more than ${MOST} invocations`, "take fewer functions with --functions");
    }
  } catch (error) {
    if (error instanceof ReplayError) throw error;
    throw new ReplayError("TRACE_UNREADABLE", (error as Error).message, "name a file that exists and may be read");
  }
  if (!format) throw new ReplayError("TRACE_INVALID", `${file} is empty`, "see the formats in CONTRIBUTING.md");
  return format;
}

function formatOf(file: string, text: string): Format {
  const header = text.replace(/^\uFEFF/, "");
  const found = FORMATS.find((format) => header.startsWith(format.header));
  if (found) return found;
  const known = FORMATS.map(({ name, header: begin }) => `${begin} (${name})`).join(", ");
  throw new ReplayError(
    "TRACE_INVALID",
    `${file}:1: ${JSON.stringify(header.slice(0, 60))} is the header of no known format`,
    `the first line begins with one of: ${known}`,
  );
}
