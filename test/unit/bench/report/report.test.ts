import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { latencies } from "../../../../bench/driver.ts";
import { html } from "../../../../bench/report/html.ts";
import { type Result, readResult, writeResult } from "../../../../bench/report/result.ts";
import { scenarioOf } from "../../../../bench/report/scenario.ts";

const times = latencies();
for (const ms of [1, 2, 3]) times.recordValue(ms * 1000);
const RESULT: Result = {
  machine: { cpu: "A <b>CPU</b>", cores: 2, memoryGb: 8, node: "v24.0.0", stolen: 0.1 },
  date: "2026-01-01T10:00:00Z",
  platform: "local",
  quick: false,
  scenarios: [
    { ...scenarioOf("warm", 3, 0, times), phases: { queue: { p50Ms: 0.1, p99Ms: 1 }, run: { p50Ms: 2, p99Ms: 3 } } },
    { name: "burst failed", n: 1, errors: 1, note: 'first: <script>alert("x")</script>' },
  ],
};
const dir = mkdtempSync(join(tmpdir(), "berth-test-"));

test("a report is one page with three plots, asks nothing of others, and shows names and errors as text", async () => {
  const page = await html("berth bench <i>", RESULT);
  expect(page.match(/<svg/g)).toHaveLength(3);
  expect(page).not.toMatch(/<script|<i>|<b>|src=|<link|@import/);
  expect(page).toContain("10.0 % of the processor time taken away");
});

test("a result that is read is the one that was written, in a new folder", () => {
  const file = join(dir, "new", "folder", "result.json");
  writeResult(file, RESULT);
  expect(readResult(file)).toEqual(RESULT);
});

test.each([
  ["no JSON", "scenarios:"],
  ["another document", "{}"],
  ["null", "null"],
  ["a scenario without a name", JSON.stringify({ ...RESULT, scenarios: [{ n: 1, errors: 0 }] })],
  ["latencies that are no histogram", JSON.stringify({ ...RESULT, scenarios: [{ name: "warm", n: 1, errors: 0, latencies: "AAAA" }] })],
])("a file with %s is refused by name", (what, text) => {
  const file = join(dir, `${what.replaceAll(" ", "-")}.json`);
  writeFileSync(file, text);
  expect(() => readResult(file)).toThrow(`${file} is not the result of a benchmark`);
});

test("a file that is not there is refused by name", () => {
  expect(() => readResult(join(dir, "none.json"))).toThrow(/ENOENT.*none\.json/);
});
