import type { TraceBuilder } from "../trace.ts";

const MINUTES = 1440;
const MINUTE_MS = 60_000;

/** A format of traces in CSV. */
export interface Format {
  name: string;
  /** The beginning of the first line. */
  header: string;
  /** Adds the invocations of a line; returns what is wrong with it, or null. Adds nothing of a line that is wrong. */
  read(fields: readonly string[], into: Into): string | null;
  /** Length of a file's trace, in milliseconds; absent: until its last invocation. */
  lengthMs?: number;
}

export interface Into {
  trace: Pick<TraceBuilder, "add">;
  /** When the file begins, in milliseconds from the beginning of the trace. */
  fromMs: number;
  /** Duration of invocations whose format has none. */
  durationMs: number;
}

/** `function,at_ms,duration_ms`: one invocation a line; the duration may be empty. */
const own: Format = {
  name: "Berth",
  header: "function,at_ms",
  read(fields, { trace, fromMs, durationMs }) {
    const [name = "", at = "", duration = ""] = fields;
    if (name === "") return "it names no function";
    if (!isAmount(at)) return `at_ms is ${shown(at)}, and not a number of milliseconds from 0 on`;
    if (duration !== "" && !isAmount(duration)) return `duration_ms is ${shown(duration)}, and not a number of milliseconds from 0 on`;
    trace.add(name, fromMs + Number(at), duration === "" ? durationMs : Number(duration));
    return null;
  },
};

/** Azure Functions 2019: a function of a day on each line, with its invocations in each minute. They are spread evenly over the minute. */
const azure2019: Format = {
  name: "Azure Functions 2019",
  header: "HashOwner,HashApp,HashFunction,Trigger,1,",
  lengthMs: MINUTES * MINUTE_MS,
  read(fields, { trace, fromMs, durationMs }) {
    const [owner = "", app = "", name = "", , ...counts] = fields;
    if (name === "") return "it names no function";
    if (counts.length !== MINUTES) return `it has ${counts.length} minutes, and not ${MINUTES}`;
    const wrong = counts.findIndex((count) => !/^\d{1,7}$/.test(count));
    if (wrong >= 0) return `minute ${wrong + 1} is ${shown(counts[wrong] as string)}, and not a number of invocations`;
    for (const [minute, text] of counts.entries()) {
      const count = Number(text);
      for (let i = 0; i < count; i++) trace.add(`${owner}/${app}/${name}`, fromMs + (minute + (i + 0.5) / count) * MINUTE_MS, durationMs);
    }
    return null;
  },
};

/** Azure Functions 2021: an invocation a line, by its end and its duration in seconds. */
const azure2021: Format = {
  name: "Azure Functions 2021",
  header: "app,func,end_timestamp,duration",
  read(fields, { trace, fromMs }) {
    const [app = "", name = "", end = "", duration = ""] = fields;
    if (name === "") return "it names no function";
    if (!isAmount(end)) return `end_timestamp is ${shown(end)}, and not a number of seconds from 0 on`;
    if (!isAmount(duration)) return `duration is ${shown(duration)}, and not a number of seconds from 0 on`;
    trace.add(`${app}/${name}`, fromMs + Math.max(0, Number(end) - Number(duration)) * 1000, Number(duration) * 1000);
    return null;
  },
};

export const FORMATS: readonly Format[] = [own, azure2019, azure2021];

function isAmount(text: string): boolean {
  return /^\d+(\.\d+)?([eE][-+]?\d{1,2})?$/.test(text);
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
