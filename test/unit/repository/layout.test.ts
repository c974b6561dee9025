import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

const MAX_LINES = 250;
const MAX_FILES = 12;

const PARTS = ["pool-manager", "router", "telemetry", "runtime-images", "cli", "bench", "test"];
const files = PARTS.flatMap((part) => readdirSync(part, { recursive: true, encoding: "utf8" }).map((name) => join(part, name))).filter(
  (name) => /\.tsx?$/.test(name) && !/(^|\/)(dist|node_modules|ecosystem\/apps)\//.test(name),
);
const folders = [...new Set(files.map((name) => dirname(name)))];

test("the product and its tests are found", () => {
  expect(files.length).toBeGreaterThan(700);
  expect(folders.length).toBeGreaterThan(100);
});

test(`no file is longer than ${MAX_LINES} lines`, () => {
  const linesOf = (name: string) => readFileSync(name, "utf8").split("\n").length - 1;
  expect(files.filter((name) => linesOf(name) > MAX_LINES)).toEqual([]);
});

test(`at most ${MAX_FILES} files stand side by side`, () => {
  const count = (folder: string) => files.filter((name) => dirname(name) === folder).length;
  expect(folders.filter((folder) => count(folder) > MAX_FILES).map((folder) => `${folder}: ${count(folder)}`)).toEqual([]);
});

describe("each folder says what it is for", () => {
  /** In a README of its own, or in that of the folder above. */
  test.each(folders.filter((folder) => /^(pool-manager|router|telemetry|runtime-images)\b/.test(folder)))("%s", (folder) => {
    const above = join(dirname(folder), "README.md");
    const isNamedAbove = existsSync(above) && readFileSync(above, "utf8").includes(`\`${basename(folder)}/\``);
    expect(existsSync(join(folder, "README.md")) || isNamedAbove).toBe(true);
  });
});
