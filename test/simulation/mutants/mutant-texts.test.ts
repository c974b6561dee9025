import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MUTANTS } from "./mutants.ts";

test("there are mutants of many guards", () => expect(MUTANTS.length).toBeGreaterThanOrEqual(15));

test.each(MUTANTS)("the text of the mutant is there exactly once: $name", ({ file, find }) => {
  expect(readFileSync(file, "utf8").split(find)).toHaveLength(2);
});
