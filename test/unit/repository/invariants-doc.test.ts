import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DOCUMENTED } from "../../simulation/mutants/documented.ts";
import { MUTANTS } from "../../simulation/mutants/mutants.ts";

const sections = readFileSync("docs/invariants.md", "utf8").split(/^## /m).slice(1);
const invariants = sections.map((text) => ({ id: /^(I\d+)\. \S/.exec(text)?.[1] ?? text.split("\n")[0], text }));
const ids = invariants.map(({ id }) => id as string);
const tests = readdirSync("test", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts") && !name.includes("node_modules"));
const named = (path: string) => new Set(readFileSync(path, "utf8").match(/\bI\d+\b/g));

const lineOf = (text: string, begin: string) => text.split("\n").find((line) => line.startsWith(begin)) ?? "";
const quoted = (line: string) => [...line.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string);

test("ids are unique, and tests name no other", () => {
  expect(ids.length).toBeGreaterThan(15);
  expect(new Set(ids).size).toBe(ids.length);
  const others = tests.flatMap((name) => [...named(join("test", name))].filter((id) => !ids.includes(id)).map((id) => `${name}: ${id}`));
  expect(others).toEqual([]);
});

describe.each(invariants)("$id", ({ id, text }) => {
  test("is enforced by files that exist", () => {
    const files = quoted(lineOf(text, "- Enforced by"));
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  });

  test("is proved by files that name it, one of them of the tests", () => {
    const files = quoted(lineOf(text, "- Proved by"));
    expect(files.filter((file) => !existsSync(file) || !named(file).has(id as string))).toEqual([]);
    expect(files.some((file) => file.startsWith("test/"))).toBe(true);
  });
});

test("each mutant is listed with the one invariant that catches it", () => {
  expect(DOCUMENTED.map(({ mutant }) => mutant).sort()).toEqual(MUTANTS.map(({ name }) => name).sort());
  expect(DOCUMENTED.filter(({ id }) => !ids.includes(id))).toEqual([]);
});
