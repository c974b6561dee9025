import { join } from "node:path";
import { expect, test } from "vitest";
import { runtimeOfFiles } from "../../../../cli/commands/deploy/runtime-of-files.ts";
import { directoryOf } from "../../../helpers/bundled.ts";

test.each<[string[], string | null]>([
  [["index.js"], "node"],
  [["src/index.ts"], "node"],
  [["index.ts", "main.py"], "node"],
  [["index.js", "bootstrap"], "node"],
  [["main.py"], "python"],
  [["requirements.txt", "server.py"], "python"],
  [["pyproject.toml", "server.py"], "python"],
  [["main.py", "bootstrap"], "python"],
  [["bootstrap"], "custom"],
  [["server.py"], null],
  [["server"], null],
  [[], null],
])("a directory with %j: %s", (names, runtime) => {
  expect(runtimeOfFiles(directoryOf(Object.fromEntries(names.map((name) => [name, ""]))))).toBe(runtime);
});

test.each<[string, string | null]>([
  ["x.py", "python"],
  ["bootstrap", "custom"],
  ["x.js", null],
  ["missing.py", null],
])("a file %s: %s", (name, runtime) => {
  expect(runtimeOfFiles(join(directoryOf({ "x.py": "", bootstrap: "", "x.js": "" }), name))).toBe(runtime);
});
