import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { bundled, directoryOf, LoadedFunction } from "../../../../helpers/bundled.ts";

let loaded: LoadedFunction | null = null;
afterEach(() => loaded?.end());

const THROWS = `interface Unused { a: string }
interface Longer extends Unused { b: number }
// The third line.
export function fail(): never {
  class Special extends TypeError {}
  throw new Special("boom");
}
`;
const HANDLER = `import { fail } from "./lib/fail";
interface Nothing { x: 1 }
export default {
  fetch() {
    try { fail(); } catch (error) { return Response.json((error as Error).stack); }
    return new Response();
  },
};
`;

async function load(files: Record<string, string>): Promise<string> {
  const { entry } = await bundled(directoryOf(files));
  loaded = await LoadedFunction.load(entry);
  return entry;
}

test.each(["index.mts", "index.cts"])("stacks name the user's files and lines: %s", async (entry) => {
  const code =
    entry === "index.cts"
      ? HANDLER.replace('import { fail } from "./lib/fail"', 'const { fail } = require("./lib/fail")').replace("export default", "module.exports =")
      : HANDLER;
  await load({ [entry]: code, "lib/fail.ts": THROWS });
  const lines = (JSON.parse((await loaded?.invoke()) ?? "") as string).split("\n");
  expect(lines[0]).toBe("TypeError: boom");
  expect(lines[1]).toBe("    at fail (lib/fail.ts:6:9)");
  expect(lines[2]).toMatch(new RegExp(`^    at \\S+ \\(${entry}:5:11\\)$`));
});

test("the log of an error, and an error at load, name them too", async () => {
  await load({ "index.mjs": "// one\n\nexport default { fetch() { console.error(new Error('logged')); return new Response('ok'); } };" });
  expect(await loaded?.invoke()).toBe("ok");
  await expect.poll(() => loaded?.output).toMatch(/"Error: logged"[\s\S]+ at Object\.fetch \(index\.mjs:3:42\)/);
  loaded?.end();
  await load({ "index.mjs": "// one\n// two\nthrow new Error('at load');" });
  expect(loaded?.error).toMatch(/^Error: at load\n {4}at index\.mjs:3:7/);
});

test("Node's own errors keep their codes, and an error without a usable name is no error of ours", async () => {
  await load({
    "index.mjs": `export default { fetch() {
      let node = ""; try { Buffer.alloc("x"); } catch (error) { node = error.stack.split("\\n")[0]; }
      const odd = new Error("odd"); Object.defineProperty(odd, "name", { get() { throw new Error("no"); } });
      return Response.json([node, odd.stack.split("\\n")[0]]);
    } };`,
  });
  const [node, odd] = JSON.parse((await loaded?.invoke()) ?? "") as string[];
  expect(node).toMatch(/^TypeError \[ERR_INVALID_ARG_TYPE\]: The "size" argument/);
  expect(odd).toMatch(/^Error/);
});

test("a broken source map leaves stacks as they are", async () => {
  const { entry } = await bundled(directoryOf({ "index.mjs": "export default { fetch: () => new Response(new Error('x').stack) };" }));
  writeFileSync(`${entry}.map.gz`, "not gzip");
  loaded = await LoadedFunction.load(entry);
  expect(await loaded.invoke()).toContain(entry);
});

test.each(["esm", "cjs"])("the code cache of a bundle with a source map is used: %s", async (format) => {
  const filler = Array.from({ length: 2000 }, (_, n) => `function f${n}(a) { return a + ${n}; }`).join("\n");
  const throws = 'throw new Error("cached");';
  const files: Record<string, string> =
    format === "esm"
      ? { "index.mjs": `${filler}\nexport default { fetch() { ${throws} } };\n${throws}` }
      : { "index.cjs": `${filler}\nmodule.exports = (req, res) => res.end();\n${throws}` };
  const { entry, dir } = await bundled(directoryOf(files));
  execFileSync(process.execPath, ["--experimental-vm-modules", "--no-warnings", "runtime-images/node/dist/compile.cjs", entry]);
  loaded = await LoadedFunction.load(entry);
  expect(loaded.error).toMatch(/^Error: cached\n {4}at .*index\.[cm]js:2002:7/);
  // Node's own loaders, which would be asked had the cache been refused, leave their frames in a stack.
  expect(loaded.error).not.toMatch(/modules\/(esm|cjs)\/(?!.*worker)/);
  expect(readFileSync(join(dir, `${entry.split("/").pop()}.v8`)).length).toBeGreaterThan(500);
});

test("an ES module that was uploaded as it is resolves and imports from its own place", async () => {
  const dir = directoryOf({
    "index.mjs": `const url = (name) => import.meta.resolve(name).split("/").slice(-2).join("/");
      export default { fetch: async () => Response.json([url("./lib/x.js"), url("fs"), url("pkg"), (await import("./lib/x.json", { with: { type: "json" } })).default, (await import("pkg")).default]) };`,
    "lib/x.json": "[1]",
    "node_modules/pkg/index.js": "module.exports = 'pkg';",
  });
  loaded = await LoadedFunction.load(join(dir, "index.mjs"));
  expect(JSON.parse(await loaded.invoke())).toEqual(["lib/x.js", "node:fs", "pkg/index.js", [1], "pkg"]);
});

test.each([
  ["in the entry", { "index.mjs": "const a = 1;\nconst b = = 2;\n" }, "index.mjs:2\nconst b = = 2;"],
  ["in a module that the entry imports", { "index.mjs": 'import "./lib/x.mjs";', "lib/x.mjs": "// one\n\nlet a; let a;" }, "lib/x.mjs:3\nlet a; let a;"],
  ["in CommonJS", { "index.cjs": "// one\nmodule.exports = {;" }, "index.cjs:2\nmodule.exports = {;"],
  ["an export that is not there", { "index.mjs": '// one\nimport { nope } from "node:fs";' }, "index.mjs:2\n"],
])("a syntax error tells its file and line: %s", async (_where, files, expected) => {
  const dir = directoryOf(files);
  loaded = await LoadedFunction.load(join(dir, Object.keys(files)[0] as string));
  expect(loaded.error).toContain(expected);
  expect(loaded.error).toContain("SyntaxError: ");
});
