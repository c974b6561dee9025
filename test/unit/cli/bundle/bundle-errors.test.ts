import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bundle } from "../../../../cli/bundle/bundle.ts";
import { readManifest } from "../../../../cli/commands/deploy/manifest-file.ts";
import { EXIT } from "../../../../cli/errors.ts";
import { bundled, directoryOf } from "../../../helpers/bundled.ts";

test.each([
  [
    "a package that is not installed",
    'import "nobody";',
    { message: /index\.mjs:2:\d+: Could not resolve "nobody"/, fix: /npm install nobody .* --external nobody/ },
  ],
  [
    "a scoped package, by a path in it",
    'import "@scope/nobody/sub";',
    { message: /@scope\/nobody\/sub/, fix: /npm install @scope\/nobody .* --external @scope\/nobody / },
  ],
  ["a file that is not there", 'import "./nothing.js";', { message: /\.\/nothing\.js/, fix: /add the file/ }],
  ["a file without a loader", 'import "./image.xyz";', { message: /No loader/, fix: /--include/ }],
  ["a syntax error", "const a = = 1;", { message: /bundled: index\.mjs:2:11: Unexpected "="/, fix: /correct the source/ }],
  ["an export that is not there", 'import { nope } from "./other.mjs"; nope();', { message: /No matching export/, fix: /correct the source/ }],
])("%s: file, line and what to do about it", async (_what, code, expected) => {
  for (const meta of ["import.meta.url;", ""]) {
    const dir = directoryOf({ "index.mjs": `// A comment, which the bundler drops.\n${code} ${meta}`, "image.xyz": "", "other.mjs": "export const x = 1;" });
    const error = await bundle(dir).then(String, (thrown) => thrown);
    expect(error).toMatchObject({ code: "BUNDLE_FAILED", message: expect.stringMatching(expected.message), fix: expect.stringMatching(expected.fix) });
  }
});

test("an error in a module that knows its place, or in a worker, has the location in the user's file", async () => {
  const broken = "// A comment.\nimport.meta.url;\nconst a = = 1;\n";
  for (const code of ['import "./lib/broken.mjs";', 'new Worker(new URL("./lib/broken.mjs", import.meta.url));']) {
    const dir = directoryOf({ "index.mjs": code, "lib/broken.mjs": broken });
    await expect(bundle(dir)).rejects.toMatchObject({ message: `${dir} could not be bundled: lib/broken.mjs:3:11: Unexpected "="` });
  }
});

test("messages to the user appear once, though the source is bundled twice", async () => {
  const files = {
    "index.js": 'const n = require("native"); module.exports = () => import("./slow.mjs");',
    "slow.mjs": "await 1; export {};",
    "node_modules/native/binding.gyp": "{}",
  };
  expect((await bundled(directoryOf(files))).said).toEqual([expect.stringMatching(/^native is native/)]);
});

test("warnings of the bundler appear, with the line of the user's file", async () => {
  const { said } = await bundled(directoryOf({ "index.mjs": "// A comment.\n\nexport default typeof import.meta.url === 'strin';\n" }));
  expect(said).toEqual([expect.stringMatching(/^warning: index\.mjs:3:\d+: The "typeof" operator will never evaluate to "strin"$/)]);
});

test("a package.json with a byte order mark is read, and one that is not JSON is named", async () => {
  const files = { "start.js": "module.exports = (req, res) => res.end();" };
  await bundle(directoryOf({ ...files, "package.json": '\uFEFF{"main": "start.js"}' }));
  const dir = directoryOf({ ...files, "package.json": '{"main": "start.js",}' });
  await expect(bundle(dir)).rejects.toMatchObject({ code: "BUNDLE_FAILED", message: expect.stringContaining(join(dir, "package.json")), exit: EXIT.usage });
});

test.each(["lib/start", "lib", "lib/start.js"])("main of package.json may be %s", async (main) => {
  const files = { "lib/start.js": "module.exports = 1;", "lib/index.js": "module.exports = 1;" };
  expect((await bundled(directoryOf({ ...files, "package.json": JSON.stringify({ main }) }))).entry).toMatch(/index\.cjs$/);
});

test("external takes names of packages", async () => {
  await expect(bundle(directoryOf({ "index.js": "" }), { external: ["./lib"] })).rejects.toMatchObject({ message: expect.stringContaining('"./lib"') });
});

test("a manifest is read beside a directory's code and beside a file, as berth.yaml and as berth.yml", () => {
  for (const name of ["berth.yaml", "berth.yml"]) {
    const dir = directoryOf({ [name]: "timeout: 5s\ninclude: views/**\nexternal: [pino, sharp]\n", "index.js": "" });
    const expected = { settings: { timeout: "5s" }, include: ["views/**"], external: ["pino", "sharp"] };
    expect(readManifest({ from: dir })).toEqual(expected);
    expect(readManifest({ from: join(dir, "index.js") })).toEqual(expected);
    expect(readManifest({ file: join(dir, name) })).toEqual(expected);
  }
  const empty = { settings: {}, include: [], external: [] };
  expect([readManifest({}), readManifest({ from: directoryOf({}) }), readManifest({ from: "/does/not/exist" })]).toEqual([empty, empty, empty]);
});

test.each([["- a"], ["include: {a: 1}"], ["external: [1]"], ["a: ["], ["text"]])("the manifest %j is refused by its name", (text) => {
  const dir = directoryOf({ "berth.yaml": text });
  expect(() => readManifest({ from: dir })).toThrow(join(dir, "berth.yaml"));
});

test("a directory in the place of the manifest is an error", () => {
  const dir = directoryOf({});
  mkdirSync(join(dir, "berth.yaml"));
  writeFileSync(join(dir, "index.js"), "");
  expect(() => readManifest({ from: dir })).toThrow(/berth\.yaml/);
});
