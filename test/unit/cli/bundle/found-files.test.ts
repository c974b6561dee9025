import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { answerOf, bundled, directoryOf } from "../../../helpers/bundled.ts";

const answer = (value: string) => `export default { fetch: async () => Response.json(${value}) };`;
const answerCjs = (value: string) => `module.exports = async (req, res) => res.end(JSON.stringify(await ${value}));`;

test("files are found that are named by several literals, by a sum, in a template, by require.resolve and by a directory of the module's own", async () => {
  const files = {
    "data/x.txt": "x",
    "src/y.txt": "y",
    "src/z.txt": "z",
    "src/main.cjs": `const fs = require("fs"), path = require("path"); const read = (file) => fs.readFileSync(file, "utf8");
      ${answerCjs(`[read(path.join(__dirname, "..", "data", "x.txt")), read(__dirname + "/y.txt"), read(\`\${__dirname}/z.txt\`), read(require.resolve("./y.txt")), Array.isArray(require.resolve.paths("x"))]`)}`,
    "src/main.mjs": `import fs from "node:fs"; import path, { dirname, join } from "node:path"; import { fileURLToPath } from "node:url"; const read = (file) => fs.readFileSync(file, "utf8");
      ${answer('[read(join(dirname(fileURLToPath(import.meta.url)), "../data/x.txt")), read(path.resolve(import.meta.dirname, "y.txt")), read(new URL(import.meta.resolve("./z.txt")))]')}`,
  };
  expect(await answerOf({ ...files, "package.json": '{"main": "src/main.cjs"}' })).toEqual(["x", "y", "z", "y", true]);
  expect(await answerOf({ ...files, "package.json": '{"main": "src/main.mjs"}' })).toEqual(["x", "y", "z"]);
});

test("a directory that a module names is deployed with its files, unless it contains the module itself or packages", async () => {
  const files = {
    "package.json": "{}",
    "index.js": `const { join } = require("path"); require("pkg"); exports.views = [join(__dirname, "views"), join(__dirname, ".."), join(__dirname, "."), process.cwd() + "/public"];`,
    "views/a/page.html": "",
    "views/.hidden": "",
    "views/node_modules/x/y.html": "",
    "public/style.css": "",
    "other/no.txt": "",
    "node_modules/pkg/index.js": `exports.all = require("path").join(__dirname, "assets");`,
    "node_modules/pkg/assets/large.bin": "",
  };
  const { dir } = await bundled(directoryOf(files));
  const found = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = found.map(({ parentPath, name }) => join(parentPath, name).slice(dir.length + 1)).sort();
  expect(paths).toEqual(["index.cjs", "index.cjs.map.gz", "public/style.css", "views/a/page.html"]);
});

test("WebAssembly is deployed with a module that names it and composes its path", async () => {
  const files = {
    "index.js": answerCjs('require("engine").size'),
    "node_modules/engine/index.js":
      'const dir = __dirname + "/"; const locate = (name) => dir + name; exports.size = require("fs").readFileSync(locate("engine.wasm")).length;',
    "node_modules/engine/engine.wasm": "wasm",
  };
  expect(await answerOf(files)).toBe(4);
});

test("a package of the project's dependencies that is named in a string is deployed, unless it is imported as well", async () => {
  const files = {
    "package.json": '{"dependencies": {"engine": "1", "used": "1", "unnamed": "1", "types": "1", "loader": "1", "word": "1"}, "devDependencies": {"dev": "1"}}',
    "index.ts": `import type { T } from "types"; import { load } from "loader"; import used from "used"; export default { fetch: () => Response.json([load("engine").kind, load('used'), typeof load, used, "dev"] as T[]) };`,
    "node_modules/word/index.js": "",
    "node_modules/used/mode.js": "exports.mode = 'word';",
    "node_modules/loader/index.js": "exports.load = (name) => { try { return require(name); } catch ({ code }) { return code; } };",
    "node_modules/used/index.js": 'require("./mode"); try { require("node:of-a-later-version"); } catch {} module.exports = "imported";',
    ...Object.fromEntries(["engine", "unnamed", "types", "dev"].map((name) => [`node_modules/${name}/index.js`, `exports.kind = "${name}";`])),
  };
  const dir = directoryOf(files);
  const { dir: deployed, said } = await bundled(dir);
  expect([readdirSync(join(deployed, "node_modules")), said]).toEqual([["engine"], [expect.stringMatching(/^engine is named in a string/)]]);
  expect(await answerOf(files)).toEqual(["engine", "MODULE_NOT_FOUND", "function", "imported", "dev"]);
});

test("functions run in a directory with the files of their code, and what they write stays theirs", async () => {
  const files = {
    "index.js": `const fs = require("fs"), { Worker } = require("worker_threads"); const app = { set() {}, static: (dir) => fs.readdirSync(dir) }; app.set("views", "./views");
      fs.writeFileSync("own.txt", "own");
      ${answerCjs('[fs.readFileSync("a.txt", "utf8"), app.static("public"), fs.readFileSync(process.cwd() + "/views/v.html", "utf8"), fs.readFileSync("own.txt", "utf8"), fs.existsSync(__dirname + "/own.txt"), await new Promise((done) => new Worker("./w.js").once("message", done))]')}`,
    "a.txt": "a",
    "public/p.css": "",
    "views/v.html": "v",
    "w.js": 'require("worker_threads").parentPort.postMessage(require("./x"));',
    "x.js": 'module.exports = "worker";',
    "other/o.txt": "",
  };
  expect(await answerOf(files)).toEqual(["a", ["p.css"], "v", "own", false, "worker"]);
  const { dir } = await bundled(directoryOf({ ...files, "index.js": `${files["index.js"]} app.static("./"); app.static("."); app.static("../");` }));
  expect(readdirSync(dir).sort()).toEqual(["a.txt", "index.cjs", "index.cjs.map.gz", "public", "views", "w.mjs"]);
});

test.each([
  ["a URL", "mjs", 'const url = new URL("./jobs/w.mjs", import.meta.url);', "url"],
  ["a path", "js", 'const file = require("node:path").join(__dirname, "jobs", "w.js");', "file"],
  ["require.resolve", "js", "", 'require.resolve("./jobs/w.js")'],
  ["what TypeScript compiles", "js", 'const path_1 = require("node:path");', '(0, path_1.resolve)(__dirname, "jobs/w.js")'],
  ["a typed variable", "ts", 'const file: string = require("node:path").join(__dirname, "jobs/w.ts");', "file"],
])("a worker is bundled that is named by %s, by a variable or directly", async (_how, extension, declaration, named) => {
  const start = `new Promise((resolve, reject) => { new Worker(${named}).once("message", resolve).once("error", reject); })`;
  const worker =
    extension === "mjs"
      ? 'import { parentPort } from "node:worker_threads"; import { x } from "./x.mjs"; parentPort.postMessage(x);'
      : 'const { x } = require("./x.cjs"); require("node:worker_threads").parentPort.postMessage(x);';
  const files = {
    [`index.${extension}`]:
      extension === "mjs"
        ? `import { Worker } from "node:worker_threads"; ${declaration} ${answer(`await ${start}`)}`
        : `const { Worker } = require("node:worker_threads"); ${declaration} ${answerCjs(start)}`,
    [`jobs/w.${extension}`]: worker,
    "jobs/x.mjs": "export const x = 'bundled';",
    "jobs/x.cjs": "exports.x = 'bundled';",
  };
  expect(await answerOf(files)).toBe("bundled");
});
