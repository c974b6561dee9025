import { join } from "node:path";
import { expect, test } from "vitest";
import { answerOf, bundled, directoryOf } from "../../../helpers/bundled.ts";

const answer = (value: string) => `export default { fetch: async () => Response.json(${value}) };`;

test.each([
  ["createRequire(import.meta.url)", "require"],
  ["module.createRequire(fileURLToPath(import.meta.url))", "load"],
  ["createRequire(import.meta.filename)", "$require"],
])("a require that an ES module makes itself, %s, takes modules from the bundle", async (created, name) => {
  const files = {
    "package.json": "{}",
    "src/index.mjs": `import module, { createRequire } from "node:module"; import { fileURLToPath } from "node:url"; import imported from "dual";
      const ${name} = ${created};
      const missing = (() => { try { ${name}("absent"); } catch ({ code }) { return code; } })();
      ${answer(`[imported, ${name}("dual"), ${name}("./a.cjs").a, ${name}("./a.cjs") === ${name}("./a.cjs"), ${created}("../data.json"), ${name}("node:os").EOL, ${name}.resolve("os"), missing, ${name}(["./late", "json"].join("."))]`)}`,
    "src/a.cjs": "exports.a = require('./b.cjs');",
    "src/b.cjs": "module.exports = 'b';",
    "src/late.json": '"late"',
    "data.json": '{"data": 1}',
    "node_modules/dual/package.json": '{"exports": {"import": "./i.mjs", "require": "./r.cjs"}}',
    "node_modules/dual/i.mjs": "export default 'import';",
    "node_modules/dual/r.cjs": "module.exports = 'require';",
  };
  const expected = ["import", "require", "b", true, { data: 1 }, "\n", "os", "MODULE_NOT_FOUND", "late"];
  expect(await answerOf(files, { include: ["src/late.json"] })).toEqual(expected);
});

test("modules that are required by computed names are found as Node finds them, whatever else their directory holds", async () => {
  const files = {
    "index.js": `module.exports = (req, res) => { const at = (name) => { try { return require("./h/" + name); } catch ({ code, name }) { return code ?? name; } };
      res.end(JSON.stringify([at("a"), at("a.js"), at("b"), at("c"), at("d/"), at("none"), at("image.png"), at("LICENSE")])); };`,
    "h/a.js": "module.exports = 'a';",
    "h/b/index.js": "module.exports = 'b';",
    "h/c.json": '"c"',
    "h/d/index.ts": "module.exports = 'd' as const;",
    "h/image.png": new Uint8Array([137, 80]),
    "h/LICENSE": "MIT",
  };
  expect(await answerOf(files)).toEqual(["a", "a", "b", "c", "d", "MODULE_NOT_FOUND", "SyntaxError", "SyntaxError"]);
});

test("a file without a loader that is imported by its name is still an error", async () => {
  const dir = directoryOf({ "index.mjs": 'import "./a.png"; import("./h/" + process.argv[1]);', "a.png": "", "h/b.png": "" });
  await expect(bundled(join(dir, "index.mjs"))).rejects.toMatchObject({ message: expect.stringContaining('No loader is configured for ".png" files: a.png') });
});

test("classes and functions keep their names, also if two have one name, or if they mention themselves", async () => {
  const files = {
    "index.mjs": `import { User as Other, make } from "./other.mjs"; class User { static make() { return new User(); } } class Failure extends Error { constructor() { super(); this.name = this.constructor.name; } static of() { return new Failure(); } }
      function make2() {} const of = () => {};
      ${answer("[User.name, User.make().constructor.name, Other.name, Failure.of().name, make2.name, make.name, of.name]")}`,
    "other.mjs": "export class User {} const of = () => {}; export function make() { return of; }",
  };
  expect(await answerOf(files)).toEqual(["User", "User", "User", "Failure", "make2", "make", "of"]);
});
