import { relative } from "node:path";
import { expect, test } from "vitest";
import { findSource } from "../../../../cli/bundle/source.ts";
import type { CliError } from "../../../../cli/errors.ts";
import { directoryOf } from "../../../helpers/bundled.ts";

const entryOf = (files: Record<string, string>) => {
  const dir = directoryOf(files);
  const { base, entry } = findSource(dir);
  return [relative(dir, base), relative(dir, entry)];
};

const KINDS = [".ts", ".tsx", ".mts", ".cts", ".mjs", ".js", ".jsx", ".cjs"];

test.each(KINDS.flatMap((kind) => [`index${kind}`, `src/index${kind}`]))("%s is the entry module of its directory", (name) => {
  expect(entryOf({ [name]: "", "other.ts": "" })).toEqual(["", name]);
});

test("an entry that package.json names comes first, then one at the top", () => {
  expect(entryOf({ "package.json": '{"main": "app.mjs"}', "app.mjs": "", "index.ts": "" })).toEqual(["", "app.mjs"]);
  expect(entryOf({ "package.json": '{"main": "dist/gone.js"}', "index.cjs": "", "src/index.ts": "" })).toEqual(["", "index.cjs"]);
});

test("the error for a directory without an entry lists the names that an entry may have", () => {
  expect(() => entryOf({ "main.ts": "" })).toThrow("has no entry module");
});

test.each([
  ["package.json", '{ "scripts": { "start": "next start" } }', "next start"],
  ["server.js", "", "node server.js"],
])("a directory with a program of its own in %s is told how that is deployed", (file, text, command) => {
  let fix = "";
  try {
    entryOf({ [file]: text });
  } catch (error) {
    fix = (error as CliError).fix ?? "";
  }
  expect(fix).toContain(`with --runtime custom --command "${command}"`);
});
