import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bundle } from "../../../../cli/bundle/bundle.ts";
import { answerOf, bundled, directoryOf } from "../../../helpers/bundled.ts";

/** A module with the function `add(i32, i32)`. */
const WASM = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11,
]);

const filesIn = (dir: string) =>
  readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(dir, path)).isFile())
    .sort();

test("text, bytes, JSON and WebAssembly are imported, from ES modules and from CommonJS", async () => {
  const beside = {
    "a.html": "<p>",
    "a.txt": "text",
    "a.sql": "select",
    "a.md": "# A",
    "a.json": '{"a": 1}',
    "a.bin": new Uint8Array([1, 255]),
    "a.foo": "foo",
    "a.wasm": WASM,
  };
  const files = {
    ...beside,
    "index.mjs": `import html from "./a.html"; import txt from "./a.txt"; import sql from "./a.sql"; import md from "./a.md"; import json from "./a.json"; import bin from "./a.bin";
      import foo from "./a.foo" with { type: "text" }; import bytes from "./a.foo" with { type: "bytes" }; import wasm from "./a.wasm"; import query from "./a.wasm?module";
      const add = async (module) => (await WebAssembly.instantiate(module)).exports.add(40, 2);
      export default { fetch: async () => Response.json([html, txt, sql, md, json, [...bin], foo, [...bytes], await add(wasm), await add(query)]) };`,
  };
  const all = ["<p>", "text", "select", "# A", { a: 1 }, [1, 255], "foo", [102, 111, 111], 42, 42];
  expect(await answerOf(files)).toEqual(all);
  const cjs = `const wasm = require("./a.wasm"); const add = new WebAssembly.Instance(wasm).exports.add;
    module.exports = (req, res) => res.end(JSON.stringify([require("./a.html"), require("./a.json"), add(1, 2)]));`;
  expect(await answerOf({ ...beside, "index.js": cjs })).toEqual(["<p>", { a: 1 }, 3]);
});

test("files of include keep their places in the source, from the entry's directory and from above", async () => {
  const files = {
    "package.json": "{}",
    "fn/src/index.ts": `import { readFileSync } from "node:fs"; import { join } from "node:path";
      const read = (...path: string[]) => readFileSync(join(__dirname, ...path), "utf8");
      export default { fetch: () => Response.json([read("page.html"), read("../views/a/b.html"), read("../../shared/c.txt")]) };`,
    "fn/src/page.html": "page",
    "fn/views/a/b.html": "b",
    "fn/views/a/secret.txt": "no",
    "fn/node_modules/x/page.html": "installed",
    "shared/c.txt": "c",
  };
  const options = { include: ["**/*.html", "views", "../shared/*", "!**/secret.txt"] };
  for (const from of ["fn", "fn/src/index.ts"]) {
    const include = from === "fn" ? options.include : ["*.html", "../views", "../../shared/*"];
    expect(await answerOf(files, { from, include })).toEqual(["page", "b", "c"]);
  }
  const { dir } = await bundled(join(directoryOf(files), "fn"), options);
  expect(filesIn(dir)).toEqual(["fn/src/index.mjs", "fn/src/page.html", "fn/views/a/b.html", "index.mjs", "index.mjs.map.gz", "shared/c.txt"]);
});

test("a pattern without a file is an error, and no included file takes the place of the bundle", async () => {
  const dir = directoryOf({
    "index.js": "module.exports = (req, res) => res.end('source');",
    "index.mjs": "export default 1;",
    "package.json": '{"main": "index.js"}',
  });
  await expect(bundle(dir, { include: ["nothing/*"] })).rejects.toMatchObject({
    code: "BUNDLE_FAILED",
    message: expect.stringContaining('"nothing/*" matches no file'),
  });
  const { dir: code } = await bundled(dir, { include: ["*"] });
  expect(filesIn(code)).toEqual(["index.cjs", "index.cjs.map.gz", "package.json"]);
});

test("a file that a module names by a literal path beside it is deployed, unless its name begins with a dot", async () => {
  const files = {
    "index.mjs": `import { readFileSync, existsSync } from "node:fs";
      export default { fetch: () => Response.json([readFileSync(new URL("./page.html", import.meta.url), "utf8"), existsSync(new URL("./.env", import.meta.url))]) };`,
    "page.html": "page",
    ".env": "SECRET=1",
  };
  expect(await answerOf(files)).toEqual(["page", false]);
});

test("a file that is named by a literal path and is a link, or is behind one, is deployed under that path", async () => {
  const source = `import { readFileSync } from "node:fs";
    const read = (url) => readFileSync(url, "utf8");
    export default { fetch: () => Response.json([read(new URL("./page.html", import.meta.url)), read(new URL("./views/list.html", import.meta.url))]) };`;
  const dir = directoryOf({ "app/package.json": "{}", "app/index.mjs": source, "shared/page.html": "page", "shared/list.html": "list" });
  symlinkSync("../shared/page.html", join(dir, "app/page.html"));
  symlinkSync("../shared", join(dir, "app/views"));
  const { dir: code } = await bundled(join(dir, "app"));
  expect(["page.html", "views/list.html"].map((path) => readFileSync(join(code, path), "utf8"))).toEqual(["page", "list"]);
});

test("programs keep their mode", async () => {
  const dir = directoryOf({ "index.mjs": "export default {};", "bin/tool": "#!/bin/sh\n", "bin/data": "" });
  chmodSync(join(dir, "bin/tool"), 0o750);
  const { dir: code } = await bundled(dir, { include: ["bin"] });
  expect(["bin/tool", "bin/data", "index.mjs"].map((path) => (statSync(join(code, path)).mode & 0o111) !== 0)).toEqual([true, false, false]);
});

test("external packages are deployed with their dependencies, each in its installed version", async () => {
  const dir = directoryOf({
    "index.mjs":
      'import a, { deep } from "a"; import { shared } from "shared"; export default { fetch: () => Response.json([a, deep, shared, import.meta.resolve("a").endsWith("/node_modules/a/index.js")]) };',
    "node_modules/a/package.json":
      '{"dependencies": {"shared": "2"}, "optionalDependencies": {"not-installed": "1"}, "peerDependencies": {"peer": "1", "rare": "1"}, "peerDependenciesMeta": {"rare": {"optional": true}}}',
    "node_modules/a/index.js": 'exports.deep = [require("shared").shared, require("peer")]; exports.name = "a";',
    "node_modules/a/index.d.ts": "export {};",
    "node_modules/a/data/x.json": "{}",
    "node_modules/a/node_modules/shared/index.js": 'exports.shared = "nested " + require("low");',
    "node_modules/a/node_modules/shared/package.json": '{"dependencies": {"low": "1", "a": "1"}}',
    "node_modules/shared/index.js": 'exports.shared = "top";',
    "node_modules/low/index.js": 'module.exports = "low";',
    "node_modules/peer/index.js": 'module.exports = "peer";',
    "node_modules/rare/index.js": "",
    "node_modules/named/index.js": "module.exports = 1;",
  });
  const { dir: code, entry, said } = await bundled(dir, { external: ["a", "shared", "named", "missing"] });
  expect(said).toEqual([expect.stringContaining("missing is external and not installed")]);
  expect(filesIn(join(code, "node_modules"))).toEqual(
    [
      "a/data/x.json",
      "a/index.js",
      "a/node_modules/shared/index.js",
      "a/node_modules/shared/package.json",
      "a/package.json",
      "low/index.js",
      "named/index.js",
      "peer/index.js",
      "shared/index.js",
    ].sort(),
  );
  expect(readFileSync(entry, "utf8")).toMatch(/from "a"/);
  const answer = await answerOf(Object.fromEntries(filesIn(dir).map((path) => [path, readFileSync(join(dir, path), "utf8")])), { external: ["a", "shared"] });
  expect(answer).toEqual([{ deep: ["nested low", "peer"], name: "a" }, ["nested low", "peer"], "top", true]);
});

test("external packages may be imported when the function runs, by ES modules and by CommonJS", async () => {
  const installed = { "node_modules/ext/index.js": 'module.exports = "ext";', "lib/late.mjs": 'export default "late";' };
  const name = 'const name = ["e", "xt"].join(""); const file = ["./lib", "late.mjs"].join("/");';
  const both = "[(await import(name)).default, (await import(file)).default, (await import('ext')).default]";
  const options = { external: ["ext"], include: ["lib"] };
  expect(await answerOf({ ...installed, "index.mjs": `${name} export default { fetch: async () => Response.json(${both}) };` }, options)).toEqual([
    "ext",
    "late",
    "ext",
  ]);
  expect(await answerOf({ ...installed, "index.js": `${name} module.exports = async (req, res) => res.end(JSON.stringify(${both}));` }, options)).toEqual([
    "ext",
    "late",
    "ext",
  ]);
});

test("packages behind links, as pnpm places them, are deployed", async () => {
  const dir = directoryOf({
    "index.js": 'module.exports = (req, res) => res.end(JSON.stringify(require("a")));',
    "node_modules/.pnpm/a@1/node_modules/a/package.json": '{"dependencies": {"b": "1"}}',
    "node_modules/.pnpm/a@1/node_modules/a/index.js": 'module.exports = ["a", require("b")];',
    "node_modules/.pnpm/b@1/node_modules/b/index.js": 'module.exports = "b";',
  });
  symlinkSync(".pnpm/a@1/node_modules/a", join(dir, "node_modules/a"));
  symlinkSync("../../b@1/node_modules/b", join(dir, "node_modules/.pnpm/a@1/node_modules/b"));
  const { dir: code } = await bundled(dir, { external: ["*"] });
  expect(filesIn(join(code, "node_modules"))).toEqual(["a/index.js", "a/package.json", "b/index.js"]);
});

test.each([
  ["a binding.gyp", { "binding.gyp": "{}" }, {}],
  ["node-gyp-build", {}, { dependencies: { "node-gyp-build": "4" } }],
  ["prebuild-install", {}, { scripts: { install: "prebuild-install || node-gyp rebuild" } }],
  ["packages for platforms", {}, { optionalDependencies: { "@img/sharp-linux-x64": "1" } }],
])("a native package (%s) is left out of the bundle by itself, which is said", async (_what, extra, json) => {
  const own = Object.fromEntries(Object.entries(extra).map(([name, text]) => [`node_modules/native/${name}`, text as string]));
  const files = {
    "index.mjs": 'import n from "wrapper"; export default { fetch: () => Response.json(n) };',
    "node_modules/wrapper/index.js": 'module.exports = require("native");',
  };
  const native = {
    "node_modules/native/package.json": JSON.stringify(json),
    "node_modules/native/index.js": "module.exports = __dirname.split('/').slice(-2);",
    ...own,
  };
  const { said } = await bundled(directoryOf({ ...files, ...native }));
  expect(said).toEqual(["native is native: it is deployed as a package of its own, with its dependencies"]);
  expect(await answerOf({ ...files, ...native })).toEqual(["node_modules", "native"]);
});

test("a package that another one may do without is omitted if it is not installed, which is reported once unless the other one declares it optional", async () => {
  const files = {
    "index.mjs": 'import n from "wrapper"; export default { fetch: async () => Response.json(await n()) };',
    "node_modules/wrapper/index.js": `const get = (load) => { try { return load(); } catch (error) { return error.code; } };
      module.exports = async () => [get(() => require("absent")), get(() => require("absent/deep")), await import("@no/where").catch((error) => error.code)];`,
  };
  const { said } = await bundled(directoryOf(files));
  expect(said).toEqual(["absent", "@no/where"].map((name) => `warning: wrapper imports ${name}, which is not installed: the import will fail when it runs`));
  expect(await answerOf(files)).toEqual(["MODULE_NOT_FOUND", "MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"]);
  await expect(bundled(directoryOf({ ...files, "index.mjs": 'export default () => require("absent");' }))).rejects.toMatchObject({ code: "BUNDLE_FAILED" });
  const declared = { optionalDependencies: { absent: "1" }, peerDependencies: { "@no/where": "1" }, peerDependenciesMeta: { "@no/where": { optional: true } } };
  expect((await bundled(directoryOf({ ...files, "node_modules/wrapper/package.json": JSON.stringify(declared) }))).said).toEqual([]);
  const eager = { "node_modules/wrapper/index.mjs": 'import "absent";', "node_modules/wrapper/package.json": '{"exports":"./index.mjs"}' };
  await expect(bundled(directoryOf({ ...files, ...eager }))).rejects.toMatchObject({ code: "BUNDLE_FAILED" });
});

test("an addon that is required by its path is loaded", async () => {
  const addon = readFileSync("node_modules/@oxc-parser/binding-linux-x64-gnu/parser.linux-x64-gnu.node");
  const files = {
    "index.js": 'const addon = require("./build/addon.node"); module.exports = (req, res) => res.end(JSON.stringify(Object.keys(addon).length > 0));',
    "build/addon.node": addon,
  };
  expect(await answerOf(files)).toBe(true);
});

test.each([
  ["new URL", "index.mts", 'new Worker(new URL("./w.js", import.meta.url))'],
  ["join", "index.ts", 'new Worker(path.join(__dirname, "w.ts"))'],
  ["a pool's filename", "index.mjs", 'pool({ filename: new URL("./w.ts", import.meta.url).href })'],
])("a worker is bundled as an entry of its own: %s", async (_what, entry, start) => {
  const files = {
    [entry]: `import { Worker } from "node:worker_threads"; import path from "node:path"; const pool = ({ filename }) => new Worker(new URL(filename));
      export default { fetch: () => new Promise((resolve) => ${start}.on("message", (m) => resolve(Response.json(m)))) };`,
    "w.ts": 'import { parentPort } from "node:worker_threads"; import { low } from "./low"; const value: string = low; parentPort?.postMessage(value);',
    "low.ts": 'export const low: string = "from the worker";',
  };
  expect(await answerOf(files)).toBe("from the worker");
});

test("code that starts itself as a worker finds itself", async () => {
  const code = `const { Worker, isMainThread, parentPort } = require("node:worker_threads");
    if (!isMainThread) parentPort.postMessage("again");
    module.exports = (req, res) => new Worker(__filename).on("message", (m) => res.end(JSON.stringify(m)));`;
  expect(await answerOf({ "index.js": code })).toBe("again");
  expect(await answerOf({ "src/main.js": code, "package.json": '{"main": "src/main.js"}' })).toBe("again");
});
