import { join } from "node:path";
import { expect, test } from "vitest";
import { bundle } from "../../../../cli/bundle/bundle.ts";
import { answerOf, bundled, directoryOf } from "../../../helpers/bundled.ts";

const answer = (value: string) => `export default { fetch: async () => Response.json(${value}) };`;

test("an ES module declares __dirname, __filename and require itself, in the entry and in what it imports", async () => {
  const own = `import path from "node:path"; import { fileURLToPath } from "node:url"; import { createRequire } from "node:module";
    const __filename = fileURLToPath(import.meta.url);
    const __dirname = path.dirname(__filename);
    const require = createRequire(import.meta.url);`;
  const files = {
    "index.mts": `${own} import { inner } from "./lib/inner.mjs"; const found: string = path.basename(__dirname); ${answer('[found !== "", require("os").EOL, inner]')}`,
    "lib/inner.mjs": `${own} export const inner = [path.basename(__dirname), path.basename(__filename), require("./data.json")];`,
    "lib/data.json": '{"beside": true}',
  };
  expect(await answerOf(files, { include: ["lib/*.json"] })).toEqual([true, "\n", ["lib", "inner.mjs", { beside: true }]]);
});

test.each(["require", "__dirname", "module", "exports", "__berth", "createRequire", "fileURLToPath"])(
  "a module at the top of an ES module may be named %s",
  async (name) => {
    expect(await answerOf({ "index.mjs": `const ${name} = "mine"; ${answer(name)}` })).toBe("mine");
  },
);

test("CommonJS requires an ES module that uses import.meta", async () => {
  const files = {
    "index.js": 'const { where } = require("esmdep"); module.exports = (req, res) => res.end(JSON.stringify(where()));',
    "node_modules/esmdep/package.json": '{"type": "module", "exports": "./index.js"}',
    "node_modules/esmdep/index.js": `import { readFileSync } from "node:fs"; import { fileURLToPath } from "node:url";
      const { dirname, filename } = import.meta;
      export const where = () => ({ text: readFileSync(new URL("./text.txt", import.meta.url), "utf8"), url: fileURLToPath(import.meta.url) === filename,
        resolved: [import.meta.resolve("./x.js") === new URL("x.js", import.meta.url).href, import.meta.resolve("fs")], under: dirname.endsWith("/node_modules/esmdep") });`,
    "node_modules/esmdep/text.txt": "beside",
  };
  expect(await answerOf(files)).toEqual({ text: "beside", url: true, resolved: [true, "node:fs"], under: true });
});

test("ES modules get import.meta.url, dirname, filename and resolve, each for its own place", async () => {
  const meta =
    "[import.meta.url.split('/').pop(), import.meta.dirname === undefined, import.meta.filename.endsWith('js'), import.meta.resolve('./x').split('/').slice(-2)]";
  const [entry, inner] = (await answerOf({
    "index.mjs": `import inner from "./lib/a.mjs"; ${answer(`[${meta}, inner]`)}`,
    "lib/a.mjs": `export default ${meta};`,
  })) as unknown as unknown[][];
  expect(entry?.slice(0, 3)).toEqual(["index.mjs", false, true]);
  expect(inner).toEqual(["a.mjs", false, true, ["lib", "x"]]);
});

test("top-level await works in ES modules, and below CommonJS", async () => {
  const slow = 'export const value = await Promise.resolve("waited");';
  expect(await answerOf({ "index.mjs": `import { value } from "./slow.mjs"; ${answer("value")}`, "slow.mjs": slow })).toBe("waited");
  const files = { "index.js": 'module.exports = async (req, res) => res.end(JSON.stringify((await import("./slow.mjs")).value));', "slow.mjs": slow };
  expect(await answerOf(files)).toBe("waited");
});

test("CommonJS knows its directory, its file and what is beside it", async () => {
  const files = {
    "src/index.cts": 'import { low } from "./low/low"; export = (_req: unknown, res: { end(text: string): void }) => res.end(JSON.stringify(low()));',
    "src/low/low.ts": `import { basename } from "node:path"; import { readFileSync } from "node:fs";
      export const low = () => [basename(__dirname), basename(__filename), typeof __dirname, readFileSync(require.resolve("./t.txt"), "utf8"),
        readFileSync(__dirname + "/../../top.txt", "utf8")];`,
    "src/low/t.txt": "t",
    "top.txt": "top",
    "package.json": '{"main": "src/index.cts"}',
  };
  expect(await answerOf(files, { include: ["**/*.txt"] })).toEqual(["low", "low.ts", "string", "t", "top"]);
});

test("modules that know their place see the NODE_ENV that the function has", async () => {
  const files = { "index.js": "module.exports = (req, res) => res.end(JSON.stringify([typeof __dirname, process.env.NODE_ENV ?? null]));" };
  expect(await answerOf(files)).toEqual(["string", null]);
});

test("strict code stays strict, and sloppy code sloppy", async () => {
  const code =
    "const self = (function () { return this; })(); module.exports = (req, res) => res.end(JSON.stringify([self === undefined, __dirname.length > 1]));";
  expect(await answerOf({ "index.js": `"use strict"; ${code}` })).toEqual([true, true]);
  expect(await answerOf({ "index.js": code })).toEqual([false, true]);
});

test("import beside module.exports, JSON imports and a CSS import work", async () => {
  const files = {
    "index.js":
      'import { EOL } from "node:os"; import data from "./data.json"; import "./page.css"; module.exports = (req, res) => res.end(JSON.stringify([EOL, data]));',
    "data.json": "[1]",
    "page.css": "a { color: red }",
  };
  expect(await answerOf(files)).toEqual(["\n", [1]]);
});

test("the same source in two directories, with workers and packages, gives the same bytes", async () => {
  const files = {
    "index.mjs":
      'import { Worker } from "node:worker_threads"; import "./a.cjs"; new Worker(new URL("./w.mjs", import.meta.url)); import text from "./a.txt"; export default text;',
    "a.cjs": "module.exports = __dirname;",
    "a.txt": "text",
    "w.mjs": "export {};",
    "node_modules/ext/index.js": "module.exports = 1;",
  };
  const options = { external: ["ext"], include: ["*.txt"] };
  const [a, b] = [await bundle(directoryOf(files), options), await bundle(directoryOf(files), options)];
  expect(Buffer.from(a).equals(Buffer.from(b))).toBe(true);
});

test("code names no directory of the machine that deploys", async () => {
  const dir = directoryOf({
    "app/package.json": "{}",
    "app/fn/index.mjs": 'import "../../elsewhere/x.cjs"; export default { fetch: () => new Response(import.meta.url) };',
    "elsewhere/x.cjs": "module.exports = __dirname;",
  });
  const tar = Buffer.from(await bundle(join(dir, "app/fn")));
  expect(tar.includes(dir)).toBe(false);
  expect((await bundled(join(dir, "app/fn"))).entry).toMatch(/index\.mjs$/);
});
