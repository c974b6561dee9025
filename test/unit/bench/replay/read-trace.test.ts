import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readTrace } from "../../../../bench/replay/traces/read-trace.ts";

const dir = mkdtempSync(join(tmpdir(), "trace-"));
afterAll(() => rmSync(dir, { recursive: true }));
const OPTIONS = { functions: Number.POSITIVE_INFINITY, durationMs: 500 };

let files = 0;
function file(...lines: string[]): string {
  const path = join(dir, `${++files}.csv`);
  writeFileSync(path, lines.join("\n"));
  return path;
}

/** The invocations as [function, arrival, duration]. */
async function read(paths: string[], options = OPTIONS) {
  const { trace, formats, broken } = await readTrace(paths, options);
  const rows = Array.from(trace.at, (at, i) => [trace.functions[trace.of[i] as number], at, trace.durationMs[i]]);
  return { rows, formats, broken, lengthMs: trace.lengthMs };
}

const minutes = (counts: Record<number, number | string>) => Array.from({ length: 1440 }, (_, i) => counts[i] ?? 0).join(",");
const AZURE_2019 = `HashOwner,HashApp,HashFunction,Trigger,${Array.from({ length: 1440 }, (_, i) => i + 1).join(",")}`;

describe("formats", () => {
  test("Berth's own, in any order, with and without durations", async () => {
    const path = file("function,at_ms,duration_ms", "b,2000,30", "a,1000.5,", "b,10");
    expect((await read([path])).rows).toEqual([
      ["b", 10, 500],
      ["a", 1000.5, 500],
      ["b", 2000, 30],
    ]);
  });

  test("Azure Functions 2019: a file is a day, and the next one follows it", async () => {
    const first = file(AZURE_2019, `o,a,f,timer,${minutes({ 0: 2, 1439: 1 })}`);
    const second = file(AZURE_2019, `o,a,f,timer,${minutes({ 0: 1 })}`, "");
    const { rows, lengthMs, formats } = await read([first, second]);
    expect(rows).toEqual([15_000, 45_000, 86_370_000, 86_430_000].map((at) => ["o/a/f", at, 500]));
    expect([lengthMs, formats]).toEqual([172_800_000, ["Azure Functions 2019"]]);
  });

  test("Azure Functions 2021: an invocation by its end and its duration in seconds", async () => {
    const path = file("\uFEFFapp,func,end_timestamp,duration", "a,f,10.5,0.5", "a,g,0.1,2e-1", "a,f,3,1\r");
    expect((await read([path])).rows).toEqual(
      [
        ["a/g", 0, 200],
        ["a/f", 2000, 1000],
        ["a/f", 10_000, 500],
      ].map(([name, at, ms]) => [name, at, ms]),
    );
  });

  test("the first functions alone", async () => {
    const path = file("function,at_ms", "a,1", "b,2", "a,3");
    expect((await read([path], { ...OPTIONS, functions: 1 })).rows.map(([name]) => name)).toEqual(["a", "a"]);
  });
});

describe("broken lines are left out, with their place and a sentence, and nothing else is lost", () => {
  test.each([
    ["function,at_ms", ["a,1", "a,-1", ",5", "a", "a,1,x", "a,2"], 2, [3, 4, 5, 6], 'at_ms is "-1", and not a number of milliseconds'],
    ["app,func,end_timestamp,duration", ["a,f,1,1", "a,f,x,1", "a,f,1,NaN", "a,f", "b,f,2,0"], 2, [3, 4, 5], 'end_timestamp is "x", and not a number'],
    [
      AZURE_2019,
      [`o,a,f,http,${minutes({ 3: 1 })}`, `o,a,g,http,${minutes({ 3: "x" })}`, "o,a,h,http,1,2", `o,a,i,http,${minutes({ 3: 1 })}`],
      2,
      [3, 4],
      'minute 4 is "x", and not a number of invocations',
    ],
  ])("%.30s", async (header, lines, kept, places, sentence) => {
    const path = file(header, ...lines);
    const { rows, broken } = await read([path]);
    expect(rows.length).toBe(kept);
    expect(broken.described.map((line) => Number(line.slice(path.length + 1).split(":")[0]))).toEqual(places);
    expect(broken.described[0]).toContain(sentence);
  });

  test("many are counted, and the first are described", async () => {
    const { broken, rows } = await read([file("function,at_ms", "a,1", ...Array.from({ length: 500 }, () => "a,broken"))]);
    expect([broken.count, broken.described.length, rows.length]).toEqual([500, 20, 1]);
  });
});

test.each([
  ["no file", () => [join(dir, "missing.csv")], "TRACE_UNREADABLE", "ENOENT"],
  ["a folder", () => [dir], "TRACE_UNREADABLE", "EISDIR"],
  ["an empty file", () => [file("")], "TRACE_INVALID", "is empty"],
  ["an unknown header", () => [file("time,name", "1,a")], "TRACE_INVALID", 'csv:1: "time,name" is the header of no known format'],
  ["nothing but broken lines", () => [file("function,at_ms", "x")], "TRACE_INVALID", "no invocation in it can be used"],
])("%s is an error with a code and a fix", async (_title, paths, code, message) => {
  const error = await readTrace(paths(), OPTIONS).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code, message: expect.stringContaining(message), fix: expect.stringMatching(/\w+ \w+/) });
});
