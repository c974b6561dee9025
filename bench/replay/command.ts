import { parseArgs } from "node:util";
import { formatDuration, parseDuration } from "../../pool-manager/functions/manifest/duration.ts";
import { parseBytes } from "../../pool-manager/functions/manifest/quantity.ts";
import { progressBar } from "../progress.ts";
import { html } from "../report/html.ts";
import { machine } from "../report/machine.ts";
import { tradeoff } from "../report/plot.ts";
import { writeReport, writeResult } from "../report/result.ts";
import { type Scenario, scenarioOf } from "../report/scenario.ts";
import { printScenarios } from "../report/table.ts";
import type { Replayed } from "./outcome.ts";
import { type Policy, parsePolicies } from "./policy.ts";
import { MOST_INSTANCES, replayForReal } from "./real-replay.ts";
import { Replay } from "./replay.ts";
import { ReplayError } from "./replay-error.ts";
import type { ReplayOptions } from "./replay-options.ts";
import { cut, type Trace } from "./trace.ts";
import { generate } from "./traces/generate.ts";
import { readTrace } from "./traces/read-trace.ts";

const USAGE = `usage: npm run bench -- replay (--trace FILE … | --generate SEED) [--policy fixed:10m,auto] [--functions N] [--days N] [--most N]
  [--duration 500ms] [--concurrency N] [--size N|auto] [--idle-memory 4Gi] [--create 190ms] [--load 17ms]
  [--real 5m [--from 8h]] [--out FILE] [--html FILE]`;
/** Assumed memory of an instance in MB, as advice assumes it. */
const INSTANCE_MB = 96;
/** Most instances of the pool in virtual time. */
const MAX = 5000;

/** Replays a trace under each policy; prints a table, and writes the result as JSON and a plot. Returns the exit code. */
export async function replayCommand(args: readonly string[]): Promise<number> {
  try {
    await run(args);
    return 0;
  } catch (error) {
    const { code, fix, message } = error as ReplayError;
    if (!(error instanceof ReplayError)) throw error;
    process.stderr.write(`error ${code}: ${message}\n  fix: ${fix}\n`);
    return 2;
  }
}

async function run(args: readonly string[]): Promise<void> {
  const values = parsed(args);
  const policies = parsePolicies(values.policy);
  const isReal = values.real !== undefined;
  const options: ReplayOptions = {
    concurrency: integer("concurrency", values.concurrency, 1, 1000),
    size: values.size === "auto" ? "auto" : integer("size", values.size, 0, isReal ? MOST_INSTANCES : MAX),
    max: isReal ? MOST_INSTANCES : MAX,
    ...idleMemoryOf(values["idle-memory"], isReal),
    createMs: duration("create", values.create),
    loadMs: duration("load", values.load),
  };
  const { trace, source } = await traceOf(values);
  const minutes = trace.lengthMs / 60_000;
  const length = minutes > 2880 ? `${(minutes / 1440).toFixed(2)} days` : `${minutes.toFixed(1)} minutes`;
  process.stdout.write(`${source}: ${trace.at.length} invocations of ${trace.functions.length} functions in ${length}\n`);
  const scenarios: Scenario[] = [];
  for (const policy of policies) scenarios.push(...(await replayed(trace, policy, options, isReal)));
  printScenarios(scenarios);
  const out = values.out ?? `bench/results/replay-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.json`;
  const result = { machine: machine(), date: new Date().toISOString(), platform: "replay", quick: false, source, options, scenarios };
  writeResult(out, result);
  process.stderr.write(`wrote ${out}\n`);
  const picture = await tradeoff(scenarios);
  if (picture !== null) writeReport(out.replace(/(\.json)?$/, ".svg"), picture);
  if (values.html) writeReport(values.html, await html("Replay", result));
}

/** In real time, if so wanted, and in virtual time. */
async function replayed(trace: Trace, policy: Policy, options: ReplayOptions, isReal: boolean): Promise<Scenario[]> {
  const progress = progressBar();
  const rows: Scenario[] = [];
  if (isReal) {
    const { errors, firstError, instanceMb, ...real } = await replayForReal(trace, policy, options, (share) => progress(policy.name, percentDone(share), 100));
    progress(policy.name, 100, 100);
    const said = [instanceMb === null ? "" : `; ${instanceMb} MB private memory of an instance`, errors > 0 ? `; ${errors} failed, first: ${firstError}` : ""];
    rows.push(rowOf(`${policy.name} real`, trace, real, said.join("")));
  }
  const virtual = new Replay(trace, policy, options).run((share) => progress(policy.name, percentDone(share), 100));
  progress(policy.name, 100, 100);
  return [...rows, rowOf(isReal ? `${policy.name} virtual` : policy.name, trace, virtual, "")];
}

function rowOf(name: string, { at }: Trace, { tally, spentMs }: Replayed, more: string): Scenario {
  const [median, upper] = [tally.startShareOfFunctions(0.5), tally.startShareOfFunctions(0.75)];
  return {
    ...scenarioOf(name, tally.invocations, at.length - tally.invocations, tally.waits),
    startShare: tally.starts / Math.max(1, tally.invocations),
    createdShare: tally.created / Math.max(1, tally.invocations),
    memorySeconds: Math.round((spentMs.all / 1000) * INSTANCE_MB),
    note: `${tally.starts} starts; of a function ${percent(median)} in the median, ${percent(upper)} at the third quartile${more}`,
  };
}

type Values = ReturnType<typeof parsed>;

async function traceOf(values: Values): Promise<{ trace: Trace; source: string }> {
  const { trace, source } = await wholeTrace(values);
  if (values.real === undefined) return { trace, source };
  const fromMs = values.from === undefined ? 0 : duration("from", values.from, 60 * 86_400_000);
  const part = cut(trace, fromMs, duration("real", values.real));
  if (part.at.length === 0)
    throw new ReplayError(
      "TRACE_INVALID",
      `there is no invocation in ${values.real} from ${values.from ?? "the beginning"} on`,
      "choose another --from, or a longer --real",
    );
  return { trace: part, source: `${source}, ${values.real} from ${values.from ?? "the beginning"} on` };
}

async function wholeTrace(values: Values): Promise<{ trace: Trace; source: string }> {
  if (values.generate !== undefined && !values.trace) {
    const seed = integer("generate", values.generate, 0, 2 ** 32 - 1);
    const functions = integer("functions", values.functions ?? "200", 1, 100_000);
    const days = integer("days", values.days, 1, 60);
    const mostPerDay = integer("most", values.most, 1, 10_000_000);
    return { trace: generate({ seed, functions, days, mostPerDay }), source: `generated from seed ${seed}, at most ${mostPerDay} a day and function` };
  }
  if (!values.trace || values.generate !== undefined) throw new ReplayError("USAGE", "name a trace, or generate one", USAGE);
  const functions = values.functions === undefined ? Number.POSITIVE_INFINITY : integer("functions", values.functions, 1, 1_000_000);
  const { trace, formats, broken } = await readTrace(values.trace, { functions, durationMs: duration("duration", values.duration) });
  for (const sentence of broken.described) process.stderr.write(`TRACE_LINE_INVALID ${sentence}; the line is left out\n`);
  if (broken.count > broken.described.length) process.stderr.write(`TRACE_LINE_INVALID ${broken.count - broken.described.length} further lines are left out\n`);
  return { trace, source: `${values.trace.join(", ")} (${formats.join(", ")})` };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        trace: { type: "string", multiple: true },
        generate: { type: "string" },
        policy: { type: "string", default: "fixed:10m,auto" },
        functions: { type: "string" },
        days: { type: "string", default: "2" },
        most: { type: "string", default: "2000" },
        duration: { type: "string", default: "500ms" },
        concurrency: { type: "string", default: "100" },
        size: { type: "string", default: "auto" },
        "idle-memory": { type: "string" },
        create: { type: "string", default: "190ms" },
        load: { type: "string", default: "17ms" },
        real: { type: "string" },
        from: { type: "string" },
        out: { type: "string" },
        html: { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new ReplayError("USAGE", (error as Error).message, USAGE);
  }
}

function integer(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new ReplayError("USAGE", `--${name} must be an integer from ${min} to ${max}, and is ${JSON.stringify(text.slice(0, 40))}`, USAGE);
}

function duration(name: string, text: string, mostMs = 3_600_000): number {
  const ms = parseDuration(text);
  if (ms !== null && ms >= 1 && ms <= mostMs) return ms;
  throw new ReplayError("USAGE", `--${name} must be a duration from 1ms to ${formatDuration(mostMs)}, and is ${JSON.stringify(text.slice(0, 40))}`, USAGE);
}

function percentDone(share: number): number {
  return Math.min(99, Math.max(1, Math.floor(100 * share)));
}

function idleMemoryOf(text: string | undefined, isReal: boolean): Pick<ReplayOptions, "idleMemory"> {
  if (text === undefined) return {};
  const bytes = parseBytes(text);
  if (bytes === null) throw new ReplayError("USAGE", `--idle-memory must be an amount such as 4Gi, and is ${JSON.stringify(text.slice(0, 40))}`, USAGE);
  if (isReal) throw new ReplayError("USAGE", "--idle-memory applies to virtual time alone, and is given beside --real", USAGE);
  return { idleMemory: bytes };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
